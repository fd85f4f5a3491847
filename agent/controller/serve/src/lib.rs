//! How the control plane meets its clients: who they are, what they may ask for, and how they get it.
//!
//! ```text
//!   [ port ] TCP, TLS, HTTP/2 --> [ auth ] who calls --> [ xds ] the mesh  <--- [ Store ] <-- the index
//!                                                   '--> [ ca ]  certificates
//! ```
#![forbid(unsafe_code)]

pub mod auth;
pub mod ca;
mod connections;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod listen;
pub mod nodes;
mod store;
pub mod tls;
mod turns;
mod xds;

pub use connections::{ConnectionInfo, TypeInfo};
pub use listen::{Limits, ServeError, serve};
pub use store::Store;
pub use xds::{XdsConfig, XdsMetrics, XdsService};
