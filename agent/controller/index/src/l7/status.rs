//! What the authors of VirtualServices, DestinationRules and routes are told.

use std::collections::BTreeSet;

use weir_resources::{CONTROLLER_NAME, Condition, Key, Kind, Routing};

use super::bound::{REQUESTS, RESOLVED_WAYPOINTS, missing};
use super::engine::L7;
use super::unit::{Dep, Gateway as Name};
use super::view::{Scene, View};
use crate::StatusUpdate;
use crate::condition::{ACCEPTED, WAYPOINT_MISSING};

/// What is to be written; `None` if the object says all of it. What was asked on the way is always said.
pub(super) fn make(scene: Scene<'_>, state: &L7, key: &Key) -> (Option<StatusUpdate>, BTreeSet<Dep>) {
    let view = View::new(scene, &key.namespace);
    let routings = &scene.world.routings;
    let (name, mut remarks) = ((key.namespace.clone(), key.name.clone()), state.remarks(key));
    let update = match key.kind {
        Kind::VirtualService => routings.virtual_services.get(&name).and_then(|(object, read)| {
            let delegates = view.delegates(&name);
            let others = delegates.iter().filter_map(|name| routings.virtual_services.get(name));
            let others: Vec<_> = others.map(|(_, read)| read.clone()).collect();
            let wanted = read.status(&others, &remarks, &view, &routings.mesh);
            let missing = view.unbound(&read.hosts(&routings.mesh), Some(REQUESTS));
            conditions(key, object, with_missing(wanted, missing, object))
        }),
        Kind::DestinationRule => routings.rules.get(&name).and_then(|(object, read)| {
            let without = view.without_waypoint(read);
            remarks.extend(without.remarks);
            let wanted = read.status(&remarks, &view, &routings.mesh);
            conditions(key, object, with_missing(wanted, without.missing, object))
        }),
        _ => routings.routes.get(key).and_then(|(object, read)| {
            let parents = read.status(&remarks, &view, &routings.mesh);
            let parents = parents.into_iter().map(|parent| {
                let conditions = view.with_waypoints(parent.conditions, &parent.parent_ref, object);
                (parent.parent_ref, conditions)
            });
            of_parents(key, object, parents.collect())
        }),
    };
    (update, view.into_asked())
}

impl View<'_> {
    /// Says of a parent of a route what is missing.
    fn with_waypoints(
        &self,
        mut conditions: Vec<Condition>,
        parent: &serde_json::Value,
        object: &Routing,
    ) -> Vec<Condition> {
        if is_accepted(&conditions)
            && let Some(why) = self.unbound(&self.hosts_of_parent(parent), Some(REQUESTS))
        {
            conditions.push(missing(RESOLVED_WAYPOINTS, "False", why, object.meta.generation));
        }
        conditions
    }

    /// Those that are there to which a VirtualService delegates.
    pub(super) fn delegates(&self, name: &Name) -> Vec<Name> {
        let kept = &self.scene.world.routings.virtual_services;
        let Some((_, read)) = kept.get(name) else { return Vec::new() };
        let named = read.delegates().into_iter().map(|(namespace, name)| (namespace.into(), name.into()));
        let named: Vec<Name> = named.collect();
        named.iter().for_each(|(ns, name)| self.ask(Dep::Delegate(ns.clone(), name.clone())));
        named.into_iter().filter(|name| kept.get(name).is_some()).collect()
    }
}

/// Says of a resource that is in force nowhere, or not everywhere, what is missing.
fn with_missing(mut conditions: Vec<Condition>, why: Option<String>, object: &Routing) -> Vec<Condition> {
    if is_accepted(&conditions)
        && let Some(why) = why
    {
        conditions.push(missing(WAYPOINT_MISSING, "True", why, object.meta.generation));
    }
    conditions
}

fn is_accepted(conditions: &[Condition]) -> bool {
    conditions.iter().any(|condition| condition.kind == ACCEPTED && condition.status == "True")
}

fn conditions(key: &Key, object: &Routing, wanted: Vec<Condition>) -> Option<StatusUpdate> {
    let has = |conditions: &[Condition], kind: &str| conditions.iter().any(|c| c.kind == kind);
    let told = &object.meta.conditions;
    let is_left = |kind: &&str| has(told, kind) && !has(&wanted, kind);
    let left: Vec<String> = [PARTIALLY, WAYPOINT_MISSING]
        .iter()
        .copied()
        .filter(|kind| is_left(kind))
        .map(str::to_owned)
        .collect();
    if left.is_empty() && wanted.iter().all(|condition| told.contains(condition)) {
        return None;
    }
    Some(StatusUpdate {
        key: key.clone(),
        generation: object.meta.generation,
        conditions: wanted,
        remove: left,
        addresses: None,
        parents: None,
        gateway: None,
    })
}

fn of_parents(
    key: &Key,
    object: &Routing,
    wanted: Vec<(serde_json::Value, Vec<Condition>)>,
) -> Option<StatusUpdate> {
    let ours = object.parents.iter().filter(|entry| entry["controllerName"] == CONTROLLER_NAME);
    let ours: Vec<_> = ours.collect();
    let is_told = |(parent, conditions): &(serde_json::Value, Vec<Condition>)| {
        let entry = ours.iter().find(|entry| entry["parentRef"] == *parent);
        entry.is_some_and(|entry| weir_resources::conditions(entry) == *conditions)
    };
    if ours.len() == wanted.len() && wanted.iter().all(is_told) {
        return None;
    }
    Some(StatusUpdate {
        key: key.clone(),
        generation: object.meta.generation,
        conditions: Vec::new(),
        remove: Vec::new(),
        addresses: None,
        parents: Some(wanted),
        gateway: None,
    })
}

const PARTIALLY: &str = "PartiallyInvalid";
