//! Checks of references and of what no single object shows, one noun a file.

mod enrolment;
mod network_policy;
mod policies;
mod services;
mod virtual_services;

use super::Finding;
use super::world::World;

/// What all checks find.
pub(super) fn all(world: &World<'_>) -> Vec<Finding> {
    let checks =
        [virtual_services::check, policies::check, services::check, enrolment::check, network_policy::check];
    checks.iter().flat_map(|check| check(world)).collect()
}
