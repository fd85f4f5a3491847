//! Gateways and classes: who runs them is told, and told what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_resources::{Gateway, GatewayTold, Key, Kind};

use super::{Index, Owner};
use crate::Change;
use crate::gateway::{self, Deployed, Name, Waypoint};

impl Index {
    /// What came of running a gateway.
    pub fn deployed(&mut self, key: &Key, outcome: Deployed) {
        let name: Name = (key.namespace.clone(), key.name.clone());
        if self.world.gateways.get(&name.0, &name.1).is_some() {
            self.gateways.deployed.insert(name.clone(), outcome);
            self.gateways.touch_status(name);
        }
    }

    /// The version of the Gateway API's definitions, if they say one.
    pub fn gateway_api(&mut self, version: Option<String>) {
        self.gateways.api = version;
        for class in self.world.classes.keys() {
            self.gateways.touch_class(class);
        }
    }

    /// The gateways that are to be run; `None`: the same as before.
    pub fn take_waypoints(&mut self) -> Option<BTreeMap<Name, Waypoint>> {
        if !self.gateways.take_changed(self.world.network()) {
            return None;
        }
        let network: Arc<str> = self.world.network().into();
        let is_to_run = |gateway: &Gateway| {
            self.world.is_waypoint(gateway)
                && !gateway.meta.deleting
                && gateway.problem.is_none()
                && gateway.wanted_addresses.is_empty()
                && gateway::is_served(gateway)
        };
        let ours = self.world.gateways.iter().filter(|(_, _, gateway)| is_to_run(gateway));
        let waypoint = |gateway: &Gateway| {
            // A status changes more often than what is to be run.
            let mut gateway =
                Gateway { told: GatewayTold::default(), addresses: Vec::new(), ..gateway.clone() };
            gateway.meta.conditions.clear();
            let class = self.world.classes.get(&gateway.class).cloned().map(|mut class| {
                class.meta.conditions.clear();
                class.features.clear();
                class
            });
            Waypoint { gateway, class, network: network.clone() }
        };
        Some(ours.map(|(namespace, name, g)| ((namespace.clone(), name.clone()), waypoint(g))).collect())
    }

    /// Pods and services may be a gateway's.
    pub(super) fn touch_gateways_of(&mut self, dirty: &BTreeSet<Owner>, changed: &[Change]) {
        let of_owner = |owner: &Owner| match owner {
            Owner::Service(namespace, _) | Owner::Slice(namespace, _) => Some(namespace.to_string()),
            Owner::Pod(_) | Owner::Entry(_) | Owner::ServiceEntry(..) => None,
        };
        // Also of one that is gone.
        let of_pod = |change: &Change| {
            let (_, pod) = change.name.split_once("//Pod/")?;
            Some(pod.split_once('/')?.0.to_owned())
        };
        let namespaces = dirty.iter().filter_map(of_owner).chain(changed.iter().filter_map(of_pod));
        for namespace in namespaces.collect::<BTreeSet<_>>() {
            for (name, gateway) in self.world.gateways.of(&namespace) {
                self.gateways.touch_status((gateway.meta.namespace.clone(), name.clone()));
            }
        }
    }

    /// Tells gateways and classes of ours what there is to say.
    pub(super) fn tell_gateways(&mut self) {
        let (gateways, classes) = self.gateways.take_touched();
        for name in classes {
            let class = self.world.classes.get(&name).filter(|_| self.world.is_waypoint_class(&name));
            let update =
                class.and_then(|class| gateway::wanted_of_class(class, self.gateways.api.as_deref()));
            self.tell(Key { kind: Kind::GatewayClass, namespace: Arc::default(), name }, update);
        }
        for name in gateways {
            let gateway = self.world.gateways.get(&name.0, &name.1);
            if gateway.is_none() {
                self.gateways.deployed.remove(&name);
            }
            let ours = gateway.filter(|gateway| self.world.is_waypoint(gateway));
            let update = ours.and_then(|gateway| gateway::wanted(&self.world, &self.gateways, gateway));
            self.tell(Key { kind: Kind::Gateway, namespace: name.0, name: name.1 }, update);
        }
    }
}
