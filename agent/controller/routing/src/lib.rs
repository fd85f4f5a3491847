//! Routing configuration, translated: VirtualService, DestinationRule, HTTPRoute and GRPCRoute become the neutral form
//! of `weir_proto::l7`, and every field that cannot be honoured becomes a problem with its path.
//!
//! Pure functions: no client, no file, no clock.
#![forbid(unsafe_code)]

mod destination_rule;
mod export_to;
mod frontend;
mod lookup;
mod mesh;
mod object;
mod part;
mod problem;
mod route;
mod status;
mod value;
mod virtual_service;

pub use destination_rule::{DestinationRule, Destinations, Subset, backend};
pub use frontend::{Objects, Outcome, frontend};
pub use lookup::{Credential, GatewayKind, Grant, Lookup, Nearness, Service, ServicePort};
pub use mesh::Mesh;
pub use object::{Kind, ObjectRef};
pub use problem::{Effect, Problem, Problems, Reason, Remark};
pub use route::{ParentStatus, Route};
pub use virtual_service::{VirtualService, retry_policy};
