//! What is made of what was read: the mesh as the node proxies get it.
//!
//! One task owns the [`Index`], gives it events and commits; nothing here waits, reads a clock or knows a client.
//! A commit says which resources changed and what every object is to be told in its status, and the [`Snapshot`] is a
//! picture that readers keep as long as they like. A change costs in proportion to what it touches.
//!
//! ```text
//!   [ Namespace ]--enrols-->[ Pod ]<--selects--[ Service | ServiceEntry ]-->[ Gateway (waypoint) ]
//!                              |                          |
//!                              v                          v
//!                          Address "uid"      Address "namespace/hostname"
//!   [ AuthorizationPolicy | PeerAuthentication ] --> Authorization "namespace/name", named by the workloads it selects
//!   [ VirtualService | DestinationRule | HTTPRoute | GRPCRoute ] --> what the waypoints of a namespace are told (l7)
//! ```
#![forbid(unsafe_code)]

mod check;
mod condition;
mod config;
mod enrolment;
mod gateway;
mod index;
mod l7;
mod layer7;
mod output;
mod policy;
mod publish;
mod resource;
mod snapshot;
mod status;
mod store;
mod vips;
mod waypoint;
mod world;

pub use check::{check, warnings};
pub use config::Config;
pub use gateway::{Deployed, Waypoint};
pub use index::Index;
pub use layer7::{Layer7, PerKind, scoped, unread, unscoped};
pub use resource::{Resource, ResourceKind};
pub use snapshot::{Change, Changes, PodIdentity, Snapshot};
pub use status::StatusUpdate;

#[cfg(test)]
mod tests;
