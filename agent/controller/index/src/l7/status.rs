//! What the authors of VirtualServices, DestinationRules and routes are told.

use std::collections::BTreeSet;

use weir_resources::{CONTROLLER_NAME, Condition, Key, Kind, Routing};

use super::engine::L7;
use super::unit::{Dep, Gateway as Name};
use super::view::{Scene, View};
use crate::StatusUpdate;

/// What is to be written; `None` if the object says all of it. What was asked on the way is always said.
pub(super) fn make(scene: Scene<'_>, state: &L7, key: &Key) -> (Option<StatusUpdate>, BTreeSet<Dep>) {
    let view = View::new(scene, &key.namespace);
    let routings = &scene.world.routings;
    let (name, remarks) = ((key.namespace.clone(), key.name.clone()), state.remarks(key));
    let update = match key.kind {
        Kind::VirtualService => routings.virtual_services.get(&name).and_then(|(object, read)| {
            let delegates = view.delegates(&name);
            let others = delegates.iter().filter_map(|name| routings.virtual_services.get(name));
            let others: Vec<_> = others.map(|(_, read)| read.clone()).collect();
            conditions(key, object, read.status(&others, &remarks, &view, &routings.mesh))
        }),
        Kind::DestinationRule => routings
            .rules
            .get(&name)
            .and_then(|(object, read)| conditions(key, object, read.status(&remarks, &view, &routings.mesh))),
        _ => routings.routes.get(key).and_then(|(object, read)| {
            let parents = read.status(&remarks, &view, &routings.mesh);
            let parents = parents.into_iter().map(|parent| (parent.parent_ref, parent.conditions));
            of_parents(key, object, parents.collect())
        }),
    };
    (update, view.into_asked())
}

impl View<'_> {
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

fn conditions(key: &Key, object: &Routing, wanted: Vec<Condition>) -> Option<StatusUpdate> {
    let has = |conditions: &[Condition], kind: &str| conditions.iter().any(|c| c.kind == kind);
    let told = &object.meta.conditions;
    let is_left = has(told, PARTIALLY) && !has(&wanted, PARTIALLY);
    if !is_left && wanted.iter().all(|condition| told.contains(condition)) {
        return None;
    }
    Some(StatusUpdate {
        key: key.clone(),
        generation: object.meta.generation,
        conditions: wanted,
        remove: is_left.then(|| PARTIALLY.to_owned()).into_iter().collect(),
        addresses: None,
        parents: None,
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
    })
}

const PARTIALLY: &str = "PartiallyInvalid";
