//! `weir`: the command of whoever runs a mesh, from a laptop or in CI. No kernel code is linked in, and nothing that needs root.
//!
//! ```text
//!   chart (values --> objects) --> install, upgrade, uninstall --> the cluster's API
//! ```
#![forbid(unsafe_code)]

pub mod chart;
pub mod output;
