//! Rules of VirtualServices.

mod actions;
mod connections;
mod matches;
mod problems;

use crate::world::World;

/// A VirtualService of one http rule.
pub(super) fn of_rule(rule: &str) -> World {
    super::world(&format!("{{kind: VirtualService, metadata: {{}}, spec: {{hosts: [web], http: [{rule}]}}}}"))
}
