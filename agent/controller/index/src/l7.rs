//! What waypoints are told, from what was read.
//!
//! Each resource is a unit that is computed for itself and remembers what it asked of the rest of the mesh: a service, the
//! rules of a host, a grant. Whoever changes something says what, and the units that asked for it are computed again. So
//! nothing has to know which rules a translation looks at, and a change costs what it touches.
//!
//! ```text
//!   [Routings] VirtualService, routes, rules --\
//!   [World] services, gateways, policies -------> View <--asks-- unit --> Output, statuses
//!   [Snapshot] workloads ----------------------/   '--> Deps: who asked what
//! ```

mod backend;
mod bound;
mod compute;
mod connections;
mod endpoints;
mod engine;
mod frontend;
mod grant;
mod kept;
mod labels;
mod routings;
mod secrets;
mod service;
mod status;
mod unit;
mod view;
mod waypoint;
mod without_waypoint;

pub(crate) use compute::bindings;
pub(crate) use connections::{concerned as services_of_rules, extensions};
pub(crate) use engine::L7;
pub(crate) use routings::Routings;
pub(crate) use secrets::{Secrets, of_authorities as secret_of_authorities};
pub(crate) use unit::{Dep, Unit};
