//! What one waypoint serves.

use std::collections::BTreeSet;
use std::sync::Arc;

use weir_proto::l7;

use super::engine::L7;
use super::unit::{Dep, Gateway};
use super::view::{Scene, View};
use crate::policy::{Target, TargetKind};

/// `None` if there is no such waypoint. What was asked on the way is always said.
pub(super) fn make(scene: Scene<'_>, state: &L7, gateway: &Gateway) -> (Option<l7::Waypoint>, BTreeSet<Dep>) {
    let (namespace, name) = gateway;
    let view = View::new(scene, namespace);
    view.ask(Dep::Gateway(namespace.clone(), name.clone()));
    let world = scene.world;
    let there = world.gateways.get(namespace, name).filter(|gateway| world.is_waypoint(gateway));
    let made = there.map(|there| {
        let own = Target { kind: TargetKind::Gateway, namespace: namespace.clone(), name: name.clone() };
        let class = there.class.clone();
        let class = Target { kind: TargetKind::GatewayClass, namespace: Arc::default(), name: class };
        let mut authorizations = view.policies(own);
        for policy in view.policies(class) {
            if !authorizations.contains(&policy) {
                authorizations.push(policy);
            }
        }
        l7::Waypoint {
            namespace: namespace.to_string(),
            name: name.to_string(),
            frontends: state.services(gateway).map(ToString::to_string).collect(),
            authorizations,
            default_retry: None,
            path_normalization: l7::PathNormalization::Base.into(),
        }
    });
    (made, view.into_asked())
}
