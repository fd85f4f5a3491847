//! Everything: at the beginning, later, and no more.

use std::collections::{HashSet, VecDeque};

use weir_index::Resource;

use super::{Asked, Subscription};
use crate::store::{Entry, Published};
use crate::xds::response::{Collection, is_version};

impl Subscription {
    pub(super) fn open_all(&mut self, asked: &Asked<'_>, now: &Published) {
        let held = asked.held;
        // Policies are sent again whatever the client has, as Istio does: they are few, and there must be no doubt.
        if held.is_empty() || self.collection == Collection::Authorization {
            self.position = 0;
        } else {
            let differs =
                |resource: &Resource| !held.get(&*resource.name).is_some_and(|v| is_version(resource, v));
            let live = self.log(now).since(0..).filter_map(|(_, entry)| match entry {
                Entry::Live(resource) => Some(resource),
                Entry::Gone(..) => None,
            });
            let is_its = |resource: &Resource| {
                self.collection.has(resource.kind) && self.collection.is_for(&resource.name, &self.node)
            };
            let owed: VecDeque<_> = live.filter(|r| is_its(r) && differs(r)).cloned().collect();
            self.owed = owed;
        }
        let vanished = held.keys().filter(|name| self.resolve(name, now).is_empty());
        self.removed = vanished.map(|name| name.as_str().into()).collect();
        let mut queued = self.owed.iter().map(|resource| resource.name.clone()).collect();
        for name in asked.names() {
            self.asked.insert(name.into());
            self.answer(name, None, &mut queued, now);
        }
    }

    /// Everything from now on, and everything there is.
    pub(super) fn widen(&mut self) {
        self.wildcard = true;
        self.removals_from = self.position;
        self.position = 0;
        self.known = HashSet::new();
        self.answered = false;
    }

    /// Only what was asked for by name from now on. What else the client holds is its own business.
    pub(super) fn narrow(&mut self, now: &Published) {
        self.wildcard = false;
        // What it was not sent yet of everything is not what it wants now; what it asked for is in `asked`.
        self.position = self.position.max(self.removals_from);
        let asked = std::mem::take(&mut self.asked);
        self.known = asked.iter().flat_map(|name| self.resolve(name, now)).map(|r| r.name.clone()).collect();
        self.asked = asked;
    }
}
