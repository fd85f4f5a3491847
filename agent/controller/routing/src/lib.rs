//! Routing configuration, translated: VirtualService, DestinationRule, HTTPRoute and GRPCRoute become the neutral form
//! of `weir_proto::l7`, and every field that cannot be honoured becomes a problem with its path.
//!
//! Pure functions: no client, no file, no clock. Which resource decides where several speak of one service is written down in
//! `frontend.rs` (and, for users, in `docs/routing.md`).
//!
//! ```text
//!   VirtualService::read, Route::http, Route::grpc --\
//!                        Lookup (services, grants) ---> frontend --> l7::Frontend, remarks
//!   DestinationRule::read ---------------------------> backend  --> l7::Backend, subsets, remarks
//!                        '-------------------------> connections --> l4::TrafficPolicy, for who has no waypoint
//!                 each resource + remarks about it --> status   --> conditions
//! ```
//!
//! A resource is read once, when it comes. What comes of it is made for one service at a time, so that a change costs what it
//! touches. A waypoint takes whatever is made here: the tests compile it as a waypoint does.
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

pub use destination_rule::{
    Connections, DestinationRule, Destinations, Shares, Subset, backend, connections,
};
pub use frontend::{Objects, Outcome, frontend};
pub use lookup::{Credential, GatewayKind, Grant, Lookup, Material, Nearness, Service, ServicePort};
pub use mesh::Mesh;
pub use object::{Kind, ObjectRef};
pub use problem::{Effect, Problem, Problems, Reason, Remark};
pub use route::{ParentStatus, Route};
pub use value::covers;
pub use virtual_service::{VirtualService, retry_policy};
