//! What waypoints are told: whom a change concerns, and computing that.

use std::collections::BTreeSet;
use std::sync::Arc;

use weir_resources::{Key, Kind, Routing};

use super::{Index, Owner};
use crate::l7::{Dep, Unit, bindings, services_of_rules};
use crate::policy::Reattached;
use crate::store::Item;
use crate::{Change, ResourceKind, publish};

impl Index {
    pub(super) fn change_routing(&mut self, key: &Key, new: Option<Routing>) {
        let concerned = self.world.routings.set(key, new);
        if key.kind == Kind::DestinationRule {
            self.forget_secrets();
        }
        for host in &concerned.rules {
            self.dirty.extend(services_of_rules(&self.world, host));
        }
        concerned.deps.iter().for_each(|dep| self.l7.touch(dep));
        concerned.units.into_iter().for_each(|unit| self.l7.mark(unit));
    }

    /// A gateway came, changed or went.
    pub(super) fn touch_waypoint(&mut self, namespace: &Arc<str>, name: &Arc<str>) {
        self.l7.touch(&Dep::Gateway(namespace.clone(), name.clone()));
        self.l7.mark(Unit::Waypoint((namespace.clone(), name.clone())));
    }

    /// What of the rest of the mesh was computed, and what of it is another.
    pub(super) fn tell_l7(&mut self, dirty: &BTreeSet<Owner>, changed: &[Change]) {
        for owner in dirty {
            match owner {
                Owner::Service(namespace, name) => {
                    let name = self.world.service_name(namespace, name);
                    self.tell_service_l7(&name);
                }
                Owner::ServiceEntry(namespace, name) => {
                    self.l7.touch(&Dep::ServiceEntry(namespace.clone(), name.clone()));
                    let entry = self.world.service_entries.get(namespace, name);
                    let hosts = entry.map(|entry| entry.hosts.clone()).unwrap_or_default();
                    for host in hosts {
                        self.tell_service_l7(&format!("{namespace}/{host}").into());
                    }
                }
                // Labels make subsets, and nodes are not told them.
                Owner::Pod(id) => {
                    self.tell_labels_of_pod(*id);
                    let pod = self.world.pods.at(*id);
                    let uid = pod.map(|pod| publish::pod_uid(&self.world, pod));
                    self.tell_members(uid.as_deref());
                }
                Owner::Entry(id) => {
                    self.tell_labels_of_entry(*id);
                    let meta = self.world.entries.at(*id).map(Item::meta);
                    let uid = meta.map(|meta| publish::entry_uid(&self.world, &meta.namespace, &meta.name));
                    self.tell_members(uid.as_deref());
                }
                Owner::Slice(..) => {}
            }
        }
        for change in changed {
            let before = self.published.address(&change.name);
            for resource in before.into_iter().chain(&change.resource) {
                resource.services.iter().for_each(|service| self.l7.touch_members(service));
            }
            let is_service = |kind| kind == ResourceKind::Service;
            if before.into_iter().chain(&change.resource).any(|resource| is_service(resource.kind)) {
                self.tell_service_l7(&change.name);
            }
        }
    }

    /// What holds at waypoints is another.
    pub(super) fn touch_attached(&mut self, reattached: Reattached) {
        let Reattached { targets, namespaces, everything } = reattached;
        targets.into_iter().for_each(|target| self.l7.touch(&Dep::Policies(target)));
        namespaces.into_iter().for_each(|namespace| self.l7.touch(&Dep::PoliciesOf(namespace)));
        if everything {
            self.l7.touch(&Dep::AllPolicies);
        }
    }

    /// Computes what has to be.
    pub(super) fn compute_l7(&mut self) {
        while let Some(unit) = self.l7.next() {
            let made = self.l7.compute(&unit, &mut self.world, &mut self.output);
            // Who cannot be read at all was told so.
            if let Unit::Status(key) = unit
                && !self.world.invalid.contains_key(&key)
            {
                self.tell(key, made);
            }
        }
    }

    fn tell_service_l7(&mut self, name: &Arc<str>) {
        self.l7.bind(name, bindings(&self.world, name));
        let host = name.split_once('/').map_or(&**name, |(_, host)| host);
        self.l7.touch(&Dep::Host(host.into()));
        self.l7.touch_members(name);
    }

    fn tell_members(&mut self, uid: Option<&str>) {
        let resource = uid.and_then(|uid| self.output.snapshot().address(uid));
        let services = resource.map(|resource| resource.services.clone()).unwrap_or_default();
        services.iter().for_each(|service| self.l7.touch_members(service));
    }
}
