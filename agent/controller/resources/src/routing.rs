//! VirtualService and DestinationRule of `networking.istio.io`; HTTPRoute, GRPCRoute and ReferenceGrant of
//! `gateway.networking.k8s.io`.

use serde_json::Value;

use crate::Meta;

/// As whom the controller speaks to the authors of routes and gateways.
pub const CONTROLLER_NAME: &str = "weir.dev/controller";

/// A resource about requests. Its spec is read part by part by who translates it: one bad rule must not hide the others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Routing {
    /// Metadata.
    pub meta: Meta,
    /// `spec` as it came; `Null` if there is none.
    pub spec: Value,
    /// `status.parents` as it is: of a route, what each controller tells it.
    pub parents: Vec<Value>,
}
