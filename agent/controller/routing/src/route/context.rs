//! What the rules of a route are translated for.

use super::Route;
use crate::{Kind, Lookup, Mesh, Service};

/// One route, at one port of one of its parents.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) mesh: &'a Mesh,
    pub(crate) lookup: &'a dyn Lookup,
    pub(crate) route: &'a Route,
    /// The parent; `None` if it is not there, and the route is only looked at.
    pub(crate) parent: Option<(&'a Service, u16)>,
}

impl Context<'_> {
    pub(super) fn namespace(&self) -> &str {
        &self.route.meta.namespace
    }

    /// What a request gets that cannot be served: an error, for gRPC that which means UNAVAILABLE.
    pub(super) fn error(&self) -> u16 {
        match self.route.object.kind {
            Kind::GrpcRoute => 503,
            _ => 500,
        }
    }
}
