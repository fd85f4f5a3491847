//! What a client asked for by name: a name stands for a resource, one at that address, or a service with its workloads.

use std::collections::HashSet;
use std::sync::Arc;

use weir_index::{Resource, ResourceKind};

use super::{Asked, Held, Subscription};
use crate::store::Published;
use crate::xds::response::{Collection, is_version};

impl Subscription {
    pub(super) fn open_names(&mut self, asked: &Asked<'_>, now: &Published) {
        let mut queued = HashSet::new();
        let dropped: HashSet<&str> = asked.unsubscribed().collect();
        // Istio's clients are sent what they ask for, whatever they say to hold.
        let held = matches!(self.collection, Collection::Layer7(_)).then_some(asked.held);
        for name in asked.names().filter(|name| !dropped.contains(name)) {
            self.asked.insert(name.into());
            self.answer(name, held, &mut queued, now);
        }
        for name in asked.held.keys().filter(|name| !dropped.contains(name.as_str()) && *name != "*") {
            if self.asked.insert(name.as_str().into()) {
                self.brought += 1;
                self.answer(name, Some(asked.held), &mut queued, now);
            }
        }
        let is_of_nodes = matches!(self.collection, Collection::Address | Collection::Workload);
        if is_of_nodes && !self.node.is_empty() {
            let node = self.node.clone();
            for name in now.snapshot.on_node(&node) {
                self.queue(name, Some(asked.held), &mut queued, now);
            }
        }
    }

    /// Queues what a name stands for: a service comes with its workloads. What is not there is said, too.
    pub(super) fn answer(
        &mut self,
        name: &str,
        held: Option<&Held>,
        queued: &mut HashSet<Arc<str>>,
        now: &Published,
    ) {
        let found = self.resolve(name, now);
        if found.is_empty() {
            self.removed.push_back(name.into());
        }
        for resource in found {
            let is_service = resource.kind == ResourceKind::Service;
            if self.queue(&resource.name, held, queued, now) && is_service {
                self.queue_members(&resource.name, held, queued, now);
            }
        }
    }

    pub(super) fn queue_members(
        &mut self,
        service: &str,
        held: Option<&Held>,
        queued: &mut HashSet<Arc<str>>,
        now: &Published,
    ) {
        for member in now.snapshot.members(service) {
            self.queue(member, held, queued, now);
        }
    }

    /// Queues a resource, once for a request and not in the version that the client holds. False: it was queued before.
    pub(super) fn queue(
        &mut self,
        name: &Arc<str>,
        held: Option<&Held>,
        queued: &mut HashSet<Arc<str>>,
        now: &Published,
    ) -> bool {
        let Some(resource) = self.get(name, now) else { return false };
        if !queued.insert(resource.name.clone()) {
            return false;
        }
        if !self.wildcard {
            self.known.insert(resource.name.clone());
        }
        if !held.and_then(|held| held.get(&**name)).is_some_and(|version| is_version(resource, version)) {
            self.owed.push_back(resource.clone());
        }
        true
    }

    fn get<'a>(&self, name: &str, now: &'a Published) -> Option<&'a Arc<Resource>> {
        let found = match self.collection {
            Collection::Authorization => now.snapshot.authorization(name),
            Collection::Address | Collection::Workload => now.snapshot.address(name),
            Collection::Layer7(kind) => now.snapshot.layer7(kind, name),
            Collection::NodePod => now.snapshot.node_pod(name),
        };
        found.filter(|resource| self.collection.has(resource.kind))
    }

    pub(super) fn resolve(&self, name: &str, now: &Published) -> Vec<Arc<Resource>> {
        match self.collection {
            Collection::Authorization | Collection::Layer7(_) | Collection::NodePod => {
                self.get(name, now).cloned().into_iter().collect()
            }
            Collection::Address | Collection::Workload => {
                let names = now.snapshot.names(name);
                names.iter().filter_map(|name| self.get(name, now)).cloned().collect()
            }
        }
    }

    pub(super) fn drop_name(&mut self, name: &str, now: &Published) {
        self.asked.remove(name);
        for resource in self.resolve(name, now) {
            if !self.asked.contains(&resource.name) {
                self.known.remove(&resource.name);
            }
        }
    }
}
