//! `weir-controller`: tells the agents what the mesh is, signs their pods' certificates, and tells the objects' authors
//! what became of them. The parts are crates of their own; this one joins them.
//!
//! ```text
//!   sources --events--> [mesh: the task that owns the index] --snapshots--> serve (xDS, CA) --> agents
//!      ^                                 |
//!      '------- statuses (elected) ------'         admission: the same answers, before anything is stored
//! ```
#![forbid(unsafe_code)]

pub mod admission;
mod backing;
pub mod cli;
mod config;
mod mesh;
mod metrics;
mod monitoring;
mod nodes;
mod placement;
pub mod rotate;
pub mod run;
mod services;
pub mod token;
mod webhook;

pub use config::Config;
