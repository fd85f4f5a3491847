//! Namespaces and nodes come, change and go: what inherits from them is touched.

use std::sync::Arc;

use weir_resources::{AllowedNamespaces, Labels, Meta, Node};

use super::{Index, Owner};
use crate::enrolment::mode;
use crate::publish;
use crate::store::Asker;
use crate::waypoint::{gateways, is_alike};
use crate::world::NETWORK;

impl Index {
    pub(super) fn change_namespace(&mut self, name: &Arc<str>, new: Option<Meta>) {
        let old = match new.clone() {
            Some(new) => self.world.namespaces.insert(name.clone(), new),
            None => self.world.namespaces.remove(name),
        };
        let labels = |meta: &Option<Meta>| meta.as_ref().map(|m| (m.labels.clone(), m.annotations.clone()));
        if labels(&old) == labels(&new) {
            return;
        }
        let asks = |meta: &Option<Meta>| meta.as_ref().map(|m| gateways(m, name)).unwrap_or_default();
        self.world.askers.change(&Asker::Namespace(name.clone()), &asks(&old), &asks(&new));
        let network =
            |meta: &Option<Meta>| meta.as_ref().and_then(|m| m.labels.get(NETWORK).map(str::to_owned));
        if *name == self.world.config.root_namespace && network(&old) != network(&new) {
            return self.touch_all();
        }
        self.touch_services(name);
        if !is_alike(old.as_ref(), new.as_ref()) || mode(old.as_ref()) != mode(new.as_ref()) {
            self.touch_matching(name, &Labels::default());
        } else {
            self.touch_selected_askers(name);
        }
    }

    pub(super) fn change_node(&mut self, name: &Arc<str>, new: Option<&Node>) {
        self.output.node(name, new.is_some());
        let locality = new.map(publish::locality);
        let old = match locality.clone() {
            Some(new) => self.world.nodes.insert(name.clone(), new),
            None => self.world.nodes.remove(name),
        };
        if old.unwrap_or_default() == locality.unwrap_or_default() {
            return;
        }
        let pods = self.world.on_node.get(name).into_iter().flatten();
        self.dirty.extend(pods.map(|id| Owner::Pod(*id)));
        let slices = self.made.keys().filter(|owner| matches!(owner, Owner::Slice(..)));
        self.dirty.extend(slices.cloned());
    }

    /// The workloads of a namespace that a selector selects; an empty one selects all. Service entries with it, whose
    /// endpoints are workloads of their own.
    pub(super) fn touch_matching(&mut self, namespace: &str, selector: &Labels) {
        let pods = self.world.pods.matching(namespace, selector).into_iter().map(Owner::Pod);
        self.dirty.extend(pods);
        let entries = self.world.entries.matching(namespace, selector).into_iter().map(Owner::Entry);
        self.dirty.extend(entries);
    }

    /// The services and service entries of a namespace.
    pub(super) fn touch_services(&mut self, namespace: &Arc<str>) {
        let owner = |name: &Arc<str>| Owner::Service(namespace.clone(), name.clone());
        self.dirty.extend(self.world.services.of(namespace).map(|(name, _)| owner(name)));
        self.touch_service_entries(namespace);
    }

    pub(super) fn touch_service_entries(&mut self, namespace: &Arc<str>) {
        let owner = |name: &Arc<str>| Owner::ServiceEntry(namespace.clone(), name.clone());
        self.dirty.extend(self.world.service_entries.of(namespace).map(|(name, _)| owner(name)));
    }

    pub(super) fn touch_all_workloads(&mut self) {
        self.dirty.extend(self.world.pods.ids().map(Owner::Pod));
        self.dirty.extend(self.world.entries.ids().map(Owner::Entry));
        let entries = self.world.service_entries.iter();
        self.dirty.extend(entries.map(|(ns, name, _)| Owner::ServiceEntry(ns.clone(), name.clone())));
    }

    fn touch_all(&mut self) {
        self.touch_all_workloads();
        let services = self.world.services.iter();
        self.dirty.extend(services.map(|(ns, name, _)| Owner::Service(ns.clone(), name.clone())));
        let slices = self.world.slices.iter();
        self.dirty.extend(slices.map(|(ns, name, _)| Owner::Slice(ns.clone(), name.clone())));
    }

    /// A waypoint of another namespace may choose whom it serves by the labels of this one.
    fn touch_selected_askers(&mut self, namespace: &Arc<str>) {
        let chooses = |(ns, name): &(Arc<str>, Arc<str>)| {
            let gateway = self.world.gateways.get(ns, name);
            let by_label = |l: &weir_resources::Listener| matches!(l.allowed, AllowedNamespaces::Selector(_));
            gateway.is_some_and(|gateway| gateway.listeners.iter().any(by_label))
        };
        let askers = self.world.askers.iter().filter(|(gateway, _)| chooses(gateway));
        let askers = askers.flat_map(|(_, askers)| askers);
        let mut all = false;
        for asker in askers {
            match asker {
                Asker::Object(owner, of) if of == namespace => drop(self.dirty.insert(owner.clone())),
                Asker::Namespace(of) if of == namespace => all = true,
                Asker::Object(..) | Asker::Namespace(_) => {}
            }
        }
        if all {
            self.touch_matching(namespace, &Labels::default());
        }
    }
}
