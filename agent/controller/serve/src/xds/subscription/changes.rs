//! What changed since the client was last sent something, and what of it is its business.

use std::collections::HashSet;
use std::sync::Arc;

use weir_index::{Resource, ResourceKind};

use super::Subscription;
use crate::store::{Entry, Published};
use crate::xds::response::Batch;

impl Subscription {
    /// Sends what changed since the position.
    pub(super) fn walk(&mut self, now: &Published, batch: &mut Batch, budget: usize) {
        for (position, entry) in self.log(now).since(self.position..) {
            if batch.bytes >= budget {
                self.position = position;
                return;
            }
            match entry {
                Entry::Live(resource) if self.wants(resource) && self.is_narrower(resource, now) => {
                    self.narrower.push_back(resource.name.clone());
                }
                Entry::Live(resource) if self.wants(resource) => self.send(resource, batch, now),
                Entry::Gone(name, kind) if self.held(name, *kind, position) => {
                    self.removed.push_back(name.clone());
                }
                Entry::Live(_) | Entry::Gone(..) => {}
            }
        }
        self.position = now.position;
        self.settled = now.position;
    }

    /// Whether it would open something, did the client have it before the workloads that name it.
    fn is_narrower(&self, resource: &Resource, now: &Published) -> bool {
        self.wildcard && self.log(now).is_narrower(&resource.name, self.settled)
    }

    fn send(&mut self, resource: &Arc<Resource>, batch: &mut Batch, now: &Published) {
        batch.push(self.collection, resource, !self.wildcard);
        if self.wildcard {
            return;
        }
        let is_new = self.known.insert(resource.name.clone());
        if is_new && resource.kind == ResourceKind::Service {
            // A service that was asked for before it was there: with its workloads, as if asked for now.
            let mut queued = HashSet::from([resource.name.clone()]);
            self.queue_members(&resource.name, None, &mut queued, now);
        }
    }

    /// Whether a resource that changed concerns the client.
    fn wants(&self, resource: &Resource) -> bool {
        let has = |name: &Arc<str>| self.asked.contains(name) || self.known.contains(name);
        self.collection.has(resource.kind)
            && self.collection.is_for(&resource.name, &self.node)
            && (self.wildcard
                || has(&resource.name)
                || (!self.node.is_empty() && resource.node == self.node)
                || resource.aliases.iter().any(|alias| self.asked.contains(alias))
                || resource.services.iter().any(has))
    }

    /// Whether the client holds (or may hold) something that is gone.
    fn held(&mut self, name: &Arc<str>, kind: ResourceKind, position: u64) -> bool {
        match self.wildcard {
            true => {
                self.collection.has(kind)
                    && self.collection.is_for(name, &self.node)
                    && position >= self.removals_from
            }
            false => self.known.remove(name),
        }
    }
}
