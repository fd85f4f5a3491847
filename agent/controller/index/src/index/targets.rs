//! How what policies name stands to waypoints.

use weir_resources::{CONTROLLER_NAME, WAYPOINT_CLASS};

use super::{Index, Owner};
use crate::policy::{Standing, Target, TargetKind};
use crate::publish;
use crate::waypoint::{Binding, Subject, Traffic};
use crate::world::World;

impl Index {
    /// Its waypoint may be another.
    pub(super) fn touch_target_of(&mut self, owner: &Owner) {
        let policies = &mut self.world.policies;
        match owner {
            Owner::Service(namespace, name) => policies.touch_target(TargetKind::Service, namespace, name),
            Owner::ServiceEntry(namespace, name) => {
                policies.touch_target(TargetKind::ServiceEntry, namespace, name);
            }
            Owner::Slice(..) | Owner::Entry(_) | Owner::Pod(_) => {}
        }
    }

    /// Tells policies how their targets stand, where that may be news.
    pub(super) fn judge_targets(&mut self) {
        for target in self.world.policies.take_unjudged() {
            let standing = self.world.target_standing(&target);
            self.world.policies.judge(target, standing);
        }
    }
}

impl World {
    fn target_standing(&self, target: &Target) -> Standing {
        let (namespace, name) = (&target.namespace, &target.name);
        let found = match target.kind {
            TargetKind::Gateway => self.gateways.get(namespace, name).map(|gateway| {
                match self.is_waypoint_class(&gateway.class) {
                    true => Standing::Bound,
                    false => Standing::NotBound(format!("its class {} is no waypoint's", gateway.class)),
                }
            }),
            TargetKind::GatewayClass => self.is_waypoint_class(name).then_some(Standing::Bound),
            TargetKind::Service => self.services.get(namespace, name).map(|service| {
                bound(self.binding(&Subject {
                    meta: &service.meta,
                    traffic: Traffic::Service,
                    private: false,
                }))
            }),
            TargetKind::ServiceEntry => self.service_entries.get(namespace, name).map(|entry| {
                let private = publish::visibility(entry).is_private();
                bound(self.binding(&Subject { meta: &entry.meta, traffic: Traffic::Service, private }))
            }),
        };
        found.unwrap_or_default()
    }

    /// Whether gateways of this class are waypoints of ours.
    pub(crate) fn is_waypoint_class(&self, class: &str) -> bool {
        let is = |name: &str, controller: &str| match self.classes.get(class) {
            Some(object) => *object.controller == *controller,
            // It is made when the API serves classes, and a directory need not have it.
            None => class == name,
        };
        is(WAYPOINT_CLASS, CONTROLLER_NAME)
            || self.config.adopt_istio_classes && class == ISTIO_CLASS && is(ISTIO_CLASS, ISTIO_CONTROLLER)
    }
}

/// Istio's, which are taken over only when told.
const ISTIO_CLASS: &str = "istio-waypoint";
const ISTIO_CONTROLLER: &str = "istio.io/mesh-controller";

fn bound(binding: Binding) -> Standing {
    match binding.outcome {
        Some((true, ..)) => Standing::Bound,
        Some((false, _, why)) => Standing::NotBound(why),
        None => Standing::NotBound("it has no waypoint (label istio.io/use-waypoint)".to_owned()),
    }
}
