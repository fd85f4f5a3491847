//! Conditions: what an object says of itself, and what it should say.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use weir_resources::{Condition, GatewayStatus, Key, Meta};

use crate::StatusUpdate;
use crate::waypoint::Binding;

mod service_entry;

/// What an object should say.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    conditions: Vec<Condition>,
    /// Addresses allocated for its hosts, and those that it has; `None`: it has no such list.
    pub(crate) addresses: Option<(Allocated, Allocated)>,
}

/// Hosts and their addresses.
pub(crate) type Allocated = Vec<(Arc<str>, IpAddr)>;

impl Wanted {
    /// Adds a condition.
    pub(crate) fn say(&mut self, kind: &str, status: bool, reason: &str, message: impl Into<String>) {
        self.conditions.push(Condition {
            kind: kind.to_owned(),
            status: if status { "True" } else { "False" }.to_owned(),
            reason: reason.to_owned(),
            message: message.into(),
            observed_generation: 0,
        });
    }

    /// Says what became of a waypoint that was asked for.
    pub(crate) fn bound(&mut self, binding: Binding) {
        if let Some((bound, reason, message)) = binding.outcome {
            self.say(WAYPOINT_BOUND, bound, reason, message);
        }
    }

    /// What is to be written, if the object does not say all of this already. `ours` are the types that nobody else
    /// writes.
    pub(crate) fn update(mut self, key: Key, meta: &Meta, ours: &[&str]) -> Option<StatusUpdate> {
        for condition in &mut self.conditions {
            condition.observed_generation = meta.generation;
        }
        let is_said = |wanted: &Condition| meta.conditions.contains(wanted);
        let left = |kind: &&&str| {
            let has = |conditions: &[Condition]| conditions.iter().any(|condition| condition.kind == ***kind);
            has(&meta.conditions) && !has(&self.conditions)
        };
        let remove: Vec<String> = ours.iter().filter(left).map(|kind| (*kind).to_owned()).collect();
        let sorted = |addresses: &Allocated| addresses.iter().cloned().collect::<BTreeSet<_>>();
        let addresses = self.addresses.filter(|(wanted, has)| sorted(wanted) != sorted(has));
        let addresses = addresses.map(|(wanted, _)| wanted);
        if remove.is_empty() && addresses.is_none() && self.conditions.iter().all(is_said) {
            return None;
        }
        Some(StatusUpdate {
            key,
            generation: meta.generation,
            conditions: self.conditions,
            remove,
            addresses,
            parents: None,
            gateway: None,
        })
    }

    /// The same for a Gateway or a class, with what else there is to say.
    pub(crate) fn update_gateway(
        self,
        key: Key,
        meta: &Meta,
        gateway: GatewayStatus,
    ) -> Option<StatusUpdate> {
        if gateway.is_empty() {
            return self.update(key, meta, &[]);
        }
        let conditions = self.conditions.clone().into_iter();
        let conditions =
            conditions.map(|c| Condition { observed_generation: meta.generation, ..c }).collect();
        let (generation, update) = (meta.generation, self.update(key.clone(), meta, &[]));
        let none = || StatusUpdate {
            key,
            generation,
            conditions,
            remove: Vec::new(),
            addresses: None,
            parents: None,
            gateway: None,
        };
        Some(StatusUpdate { gateway: Some(gateway), ..update.unwrap_or_else(none) })
    }
}

/// Whether an object was understood.
pub(crate) const ACCEPTED: &str = "Accepted";
/// Whether it is in force where it has to be.
pub(crate) const PROGRAMMED: &str = "Programmed";
/// Whether it needs a waypoint and has none.
pub(crate) const WAYPOINT_MISSING: &str = "istio.io/WaypointMissing";
/// Whether a waypoint takes its traffic.
pub(crate) const WAYPOINT_BOUND: &str = "istio.io/WaypointBound";
