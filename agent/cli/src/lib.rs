//! `weir`: the command of whoever runs a mesh, from a laptop or in CI. No kernel code is linked in, and nothing that needs root.
//!
//! ```text
//!   chart (values --> objects) --> install (plan, apply, wait, remove) --> cluster (any kind, by its API)
//! ```
#![forbid(unsafe_code)]

pub mod analyze;
pub mod chart;
mod cli;
pub mod cluster;
mod commands;
pub mod explain;
pub mod install;
pub mod live;
pub mod mesh;
pub mod objects;
pub mod output;
pub mod progress;
pub mod status;

pub use cli::{Cli, Outcome};
pub use commands::{Error, run};
