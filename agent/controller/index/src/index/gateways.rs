//! Gateways and their classes come, change and go: who asks for them is touched.

use std::sync::Arc;

use weir_resources::{Gateway, GatewayClass, GatewayTold, Labels};

use super::{Index, Owner};
use crate::policy::TargetKind;
use crate::publish::GATEWAY_NAME;
use crate::store::Asker;
use crate::waypoint::{ACCOUNT, Traffic};

impl Index {
    pub(super) fn change_gateway(&mut self, namespace: &Arc<str>, name: &Arc<str>, new: Option<Gateway>) {
        let old = self.world.gateways.get(namespace, name);
        if old == new.as_ref() {
            return;
        }
        if let (Some(old), Some(new)) = (old, &new)
            && is_status_alone(old, new)
        {
            self.world.gateways.set(namespace, name, Some(new.clone()));
            return self.gateways.touch_status((namespace.clone(), name.clone()));
        }
        // A gateway for service traffic only, as most are, need not touch all pods of a namespace. One that is missing
        // is missed by all.
        let serves = |gateway: Option<&Gateway>| {
            gateway.is_none_or(|gateway| self.world.serves(gateway, Traffic::Workload))
        };
        let workloads = serves(old) || serves(new.as_ref());
        // What is behind it may have to be guarded otherwise, for another class or other traffic.
        let stance = |gateway: Option<&Gateway>| {
            gateway.map(|gateway| {
                let serves = |traffic| self.world.serves(gateway, traffic);
                let account = gateway.meta.annotations.get(ACCOUNT).map(str::to_owned);
                (gateway.class.clone(), serves(Traffic::Service), gateway.listeners.clone(), account)
            })
        };
        let is_alike = stance(old) == stance(new.as_ref());
        self.world.gateways.set(namespace, name, new);
        if !is_alike {
            self.touch_behind(namespace, name);
            self.touch_account(namespace, name);
        }
        self.touch_askers(namespace, name, workloads);
        self.touch_waypoint(namespace, name);
        self.world.policies.touch_target(TargetKind::Gateway, namespace, name);
        self.gateways.touch(namespace, name);
    }

    pub(super) fn change_class(&mut self, name: &Arc<str>, new: Option<GatewayClass>) {
        if self.world.classes.get(name) == new.as_ref() {
            return;
        }
        self.gateways.touch_class(name);
        if let (Some(old), Some(new)) = (self.world.classes.get(name), &new)
            && is_class_status_alone(old, new)
        {
            self.world.classes.insert(name.clone(), new.clone());
            return;
        }
        match new {
            Some(new) => self.world.classes.insert(name.clone(), new),
            None => self.world.classes.remove(name),
        };
        let of_class = self.world.gateways.iter().filter(|(_, _, gateway)| gateway.class == *name);
        let of_class: Vec<_> = of_class.map(|(ns, name, _)| (ns.clone(), name.clone())).collect();
        for (namespace, name) in of_class {
            self.touch_askers(&namespace, &name, true);
            // By its controller a class is ours, or not.
            self.touch_waypoint(&namespace, &name);
            self.world.policies.touch_target(TargetKind::Gateway, &namespace, &name);
            self.gateways.touch(&namespace, &name);
        }
        self.world.policies.touch_target(TargetKind::GatewayClass, &Arc::default(), name);
    }

    fn touch_askers(&mut self, namespace: &Arc<str>, name: &Arc<str>, workloads: bool) {
        let askers: Vec<_> = self.world.askers.of(namespace, name).cloned().collect();
        for asker in askers {
            match asker {
                Asker::Object(owner, _) => drop(self.dirty.insert(owner)),
                Asker::Namespace(namespace) => {
                    self.touch_services(&namespace);
                    if workloads {
                        self.touch_matching(&namespace, &Labels::default());
                    }
                }
            }
        }
        // Its own pods: how connections are handed to them is the gateway's to say.
        let own = [(GATEWAY_NAME, &**name)].into_iter().collect();
        let pods = self.world.pods.matching(namespace, &own).into_iter().map(Owner::Pod);
        self.dirty.extend(pods);
    }
}

/// The same of a class.
fn is_class_status_alone(old: &GatewayClass, new: &GatewayClass) -> bool {
    let without = |class: &GatewayClass| {
        let mut class = GatewayClass { features: Vec::new(), ..class.clone() };
        class.meta.conditions.clear();
        class
    };
    without(old) == without(new)
}

/// Whether nothing but what we tell it ourselves is another.
fn is_status_alone(old: &Gateway, new: &Gateway) -> bool {
    let without = |gateway: &Gateway| {
        let mut gateway = Gateway { told: GatewayTold::default(), ..gateway.clone() };
        gateway.meta.conditions.clear();
        gateway
    };
    without(old) == without(new)
}
