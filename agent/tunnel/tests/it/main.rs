//! Stories of two nodes: applications on loopback, tunnels with real TLS between them.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../world/mod.rs"]
mod world;

mod app;
mod data;
mod gateway;
mod hostile;
mod limits;
mod local;
mod peers;
mod policy;
mod pool;
mod refusals;
mod shutdown;
