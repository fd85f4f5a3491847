//! Services and service entries come, change and go.

use std::sync::Arc;

use weir_resources::{Labels, Service, ServiceEntry, WorkloadGroup};

use super::{Index, Owner};
use crate::publish;
use crate::store::{Asker, Claim, Selecting};
use crate::waypoint::{gateways, is_alike};

impl Index {
    pub(super) fn change_service(&mut self, namespace: &Arc<str>, name: &Arc<str>, new: Option<Service>) {
        let owner = Owner::Service(namespace.clone(), name.clone());
        let known = self.world.services.get(namespace, name);
        if known == new.as_ref() {
            return;
        }
        let host = self.world.service_name(namespace, name);
        let stance = |service: &Service| Stance {
            names: if service.external_name { Vec::new() } else { vec![host.clone()] },
            selector: service.selector.clone(),
            created: service.meta.created,
            foreign: false,
            private: false,
            asks: gateways(&service.meta, namespace),
        };
        let (before, after) = (known.map(stance), new.as_ref().map(stance));
        // What its endpoints say of it.
        let ports = known.map(|s| &s.ports) != new.as_ref().map(|s| &s.ports)
            || !is_alike(known.map(|s| &s.meta), new.as_ref().map(|s| &s.meta));
        let unselective = new.as_ref().is_some_and(|service| service.selector.is_empty()).then_some(());
        self.world.unselective.set(namespace, name, unselective);
        self.world.services.set(namespace, name, new);
        self.take_stance(namespace, &owner, before, after, ports);
        self.touch_slices(namespace, name);
    }

    pub(super) fn change_service_entry(
        &mut self,
        namespace: &Arc<str>,
        name: &Arc<str>,
        new: Option<ServiceEntry>,
    ) {
        let owner = Owner::ServiceEntry(namespace.clone(), name.clone());
        let known = self.world.service_entries.get(namespace, name);
        if known == new.as_ref() {
            return;
        }
        let stance = |entry: &ServiceEntry| {
            let visibility = publish::visibility(entry);
            let hosts = entry.hosts.iter().filter(|_| visibility.is_published());
            Stance {
                names: hosts.map(|host| format!("{namespace}/{host}").into()).collect(),
                selector: entry.selector.clone(),
                created: entry.meta.created,
                foreign: true,
                private: visibility.is_private(),
                asks: gateways(&entry.meta, namespace),
            }
        };
        let (before, after) = (known.map(stance), new.as_ref().map(stance));
        let is_there = new.is_some();
        let ports = known.map(|entry| &entry.ports) != new.as_ref().map(|entry| &entry.ports)
            || !is_alike(known.map(|entry| &entry.meta), new.as_ref().map(|entry| &entry.meta));
        let hosts: Vec<_> = known.into_iter().flat_map(|known| known.hosts.iter().cloned()).collect();
        self.world.service_entries.set(namespace, name, new);
        self.take_stance(namespace, &owner, before, after, ports);
        self.change_vips(namespace, name, &hosts);
        if !is_there {
            self.make(&owner, Vec::new());
        }
    }

    pub(super) fn change_group(&mut self, namespace: &Arc<str>, name: &Arc<str>, new: Option<WorkloadGroup>) {
        if new.as_ref() != self.world.groups.get(namespace, name) {
            self.world.groups.set(namespace, name, new);
            self.tell_group(namespace, name);
        }
    }

    /// Brings claims, selectors and askers from what an owner was to what it is, and marks whom that touches.
    fn take_stance(
        &mut self,
        namespace: &Arc<str>,
        owner: &Owner,
        before: Option<Stance>,
        after: Option<Stance>,
        endpoints_changed: bool,
    ) {
        let (was, is) = (before.unwrap_or_default(), after.unwrap_or_default());
        let mut rivals = Vec::new();
        for name in &was.names {
            rivals.extend(self.world.claims.remove(name, owner));
        }
        for name in &is.names {
            let created = is.created.unwrap_or(i64::MAX);
            let claim = Claim { foreign: is.foreign, created, owner: owner.clone(), private: is.private };
            rivals.extend(self.world.claims.insert(name, claim));
        }
        for name in was.names.iter().filter(|name| self.world.claims.winner(name).is_none()) {
            self.output.remove(name);
        }
        if was.selector != is.selector || was.names != is.names {
            self.world.selectors.remove(namespace, &was.selector, owner);
            let (selector, names) = (is.selector.clone(), is.names.clone().into());
            self.world.selectors.insert(namespace, Selecting { selector, owner: owner.clone(), names });
            self.touch_selected(namespace, &was.selector);
            self.touch_selected(namespace, &is.selector);
        } else if endpoints_changed {
            self.touch_selected(namespace, &is.selector);
        }
        for rival in rivals {
            self.touch_rival(rival);
        }
        let asker = Asker::Object(owner.clone(), namespace.clone());
        self.world.askers.change(&asker, &was.asks, &is.asks);
        self.dirty.insert(owner.clone());
    }

    /// Another owner of a name came or went: this one's resource may be published now, or no more.
    fn touch_rival(&mut self, rival: Owner) {
        let (namespace, selector) = match &rival {
            Owner::Service(namespace, name) => {
                self.touch_slices(namespace, name);
                (namespace.clone(), self.world.services.get(namespace, name).map(|s| s.selector.clone()))
            }
            Owner::ServiceEntry(namespace, name) => {
                let entry = self.world.service_entries.get(namespace, name);
                (namespace.clone(), entry.map(|entry| entry.selector.clone()))
            }
            Owner::Slice(..) | Owner::Entry(_) | Owner::Pod(_) => return,
        };
        self.touch_selected(&namespace, &selector.unwrap_or_default());
        self.dirty.insert(rival);
    }

    /// The endpoints of a service that are written in slices: addresses, and pods.
    pub(super) fn touch_slices(&mut self, namespace: &Arc<str>, service: &str) {
        let names: Vec<_> =
            self.world.slices_of.get(namespace, service).into_iter().flatten().cloned().collect();
        for name in names {
            self.touch_slice(namespace, &name);
        }
    }

    pub(super) fn touch_selected(&mut self, namespace: &str, selector: &Labels) {
        if !selector.is_empty() {
            self.touch_matching(namespace, selector);
        }
    }
}

/// What the rest of the index must know of a service or a service entry.
#[derive(Default)]
struct Stance {
    names: Vec<Arc<str>>,
    selector: Labels,
    created: Option<i64>,
    foreign: bool,
    private: bool,
    asks: Vec<(Arc<str>, Arc<str>)>,
}
