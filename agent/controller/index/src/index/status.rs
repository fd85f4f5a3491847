//! Who is told what.

use std::sync::Arc;

use weir_resources::{Key, Kind, Meta, Problem};

use super::Index;
use crate::StatusUpdate;
use crate::condition::{ACCEPTED, PROGRAMMED, WAYPOINT_BOUND, WAYPOINT_MISSING, Wanted};
use crate::publish::{self, Published};
use crate::store::Item;
use crate::waypoint::Binding;

impl Index {
    /// Remembers what an object is to be told, or that there is nothing to say.
    pub(super) fn tell(&mut self, key: Key, update: Option<StatusUpdate>) {
        match update {
            Some(update) if self.statuses.get(&key) == Some(&update) => {}
            Some(update) => {
                self.news.insert(key.clone());
                self.statuses.insert(key, update);
            }
            None => self.forget_status(&key),
        }
    }

    pub(super) fn forget_status(&mut self, key: &Key) {
        self.statuses.remove(key);
        self.news.remove(key);
    }

    /// What is new to say since the last commit.
    pub(super) fn take_statuses(&mut self) -> Vec<StatusUpdate> {
        let news = std::mem::take(&mut self.news);
        let mut updates: Vec<_> = news.iter().filter_map(|key| self.statuses.get(key).cloned()).collect();
        updates.extend(self.world.policies.take_status());
        updates
    }

    /// Kinds with a status of ours hear what is wrong; the others have their own authors.
    pub(super) fn tell_invalid(&mut self, key: &Key, meta: &Meta, problem: &Problem) {
        if !matches!(
            key.kind,
            Kind::ServiceEntry
                | Kind::WorkloadEntry
                | Kind::WorkloadGroup
                | Kind::VirtualService
                | Kind::DestinationRule
        ) {
            tracing::warn!(object = %key, %problem, "cannot be read and is left out");
            return;
        }
        let mut wanted = Wanted::default();
        wanted.say(ACCEPTED, false, "Invalid", problem.to_string());
        let ours: &[&str] = match key.kind {
            Kind::ServiceEntry | Kind::WorkloadEntry => {
                wanted.say(PROGRAMMED, false, "Invalid", "not sent to the nodes: it cannot be read");
                &[WAYPOINT_BOUND]
            }
            _ => &[],
        };
        let update = wanted.update(key.clone(), meta, ours);
        self.tell(key.clone(), update);
    }

    pub(super) fn tell_service(&mut self, namespace: &Arc<str>, name: &Arc<str>, binding: Binding) {
        let Some(service) = self.world.services.get(namespace, name) else { return };
        let key = Key { kind: Kind::Service, namespace: namespace.clone(), name: name.clone() };
        let mut wanted = Wanted::default();
        wanted.bound(binding);
        let update = wanted.update(key.clone(), &service.meta, &[WAYPOINT_BOUND]);
        self.tell(key, update);
    }

    pub(super) fn tell_entry(&mut self, id: u32, is_sent: bool, binding: Binding) {
        let Some(entry) = self.world.entries.at(id) else { return };
        let meta = entry.meta();
        let key =
            Key { kind: Kind::WorkloadEntry, namespace: meta.namespace.clone(), name: meta.name.clone() };
        let mut wanted = Wanted::default();
        wanted.say(ACCEPTED, true, "Accepted", "");
        if is_sent {
            wanted.say(PROGRAMMED, true, "Programmed", "sent to the nodes");
        } else {
            let message = format!(
                "not sent to the nodes: spec.address {:?} is not an address that other nodes reach",
                entry.object.spec.address
            );
            wanted.say(PROGRAMMED, false, "UnsupportedValue", message);
        }
        wanted.bound(binding);
        let update = wanted.update(key.clone(), meta, &[WAYPOINT_BOUND]);
        self.tell(key, update);
    }

    pub(super) fn tell_service_entry(&mut self, namespace: &Arc<str>, name: &Arc<str>, published: Published) {
        let Some(entry) = self.world.service_entries.get(namespace, name) else { return };
        let key = Key { kind: Kind::ServiceEntry, namespace: namespace.clone(), name: name.clone() };
        let mut wanted = Wanted::default();
        wanted.say_entry(entry, &published);
        if self.world.config.allocate_addresses {
            wanted.addresses = Some((publish::allocated(&self.world, entry), entry.allocated.clone()));
        }
        wanted.bound(published.binding);
        let update = wanted.update(key.clone(), &entry.meta, &[WAYPOINT_BOUND, WAYPOINT_MISSING]);
        self.tell(key, update);
    }

    pub(super) fn tell_group(&mut self, namespace: &Arc<str>, name: &Arc<str>) {
        let Some(group) = self.world.groups.get(namespace, name) else { return };
        let key = Key { kind: Kind::WorkloadGroup, namespace: namespace.clone(), name: name.clone() };
        let mut wanted = Wanted::default();
        wanted.say(ACCEPTED, true, "Accepted", "read; workloads do not register themselves by it");
        let update = wanted.update(key.clone(), &group.meta, &[]);
        self.tell(key, update);
    }
}
