//! What is in force at one moment.

use std::sync::Arc;

use weir_proto::l7;

use super::ByName;
use crate::upstream::Credential;

/// Everything in force. What did not change is the same `Arc` as in the picture before.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// Services that are served, by namespace/hostname. What is not here is refused.
    pub services: ByName<Arc<Served>>,
    /// Where requests may go, by namespace/hostname. A backend that routes name and that is not here does not exist.
    pub backends: ByName<Arc<Destination>>,
    /// Frontends whose newest routes wait, and for which backend.
    pub waiting: ByName<String>,
    /// What holds for all that is served, and for pods that are called by their own addresses.
    pub waypoint: Option<Arc<l7::Waypoint>>,
}

/// One service that is served.
#[derive(Debug, PartialEq)]
pub struct Served {
    /// Ports and routes. Its policies are not those of `frontend`.
    pub routes: Arc<l7::Frontend>,
    /// Policies of the newest frontend.
    pub newest: Arc<l7::Frontend>,
    /// Policies of the waypoint, and defaults.
    pub waypoint: Arc<l7::Waypoint>,
}

/// One service as a destination.
#[derive(Debug, PartialEq)]
pub struct Destination {
    /// Its ports and subsets.
    pub backend: Arc<l7::Backend>,
    /// Its endpoints; none if the control plane knows of none. Those with names have the addresses that the names lead to.
    pub endpoints: Arc<l7::Endpoints>,
    /// Credentials that its clusters name.
    pub credentials: ByName<Arc<Credential>>,
    /// Names that lead to no address, and why.
    pub unresolved: ByName<String>,
}

impl Served {
    /// All policies that hold for it: the waypoint's and its own.
    pub fn authorizations(&self) -> impl Iterator<Item = &l7::Authorization> {
        self.waypoint.authorizations.iter().chain(&self.newest.authorizations)
    }
}
