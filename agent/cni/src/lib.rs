//! The chained CNI plugin: one message to the node's agent at the start of a pod and one at its end. It changes nothing of
//! the network and gives on what the plugins before it said, byte for meaning.
//!
//! ```text
//!   runtime --env, stdin--> [ call ] --> [ plugin ] --one line of JSON--> agent's socket
//!   runtime <---- stdout, exit code ----'    <------ one line of JSON ------'
//! ```
//! The agent shares [`message`] (what goes over the socket) and [`conflist`] (how it puts the plugin into the node's list).
#![forbid(unsafe_code)]

mod call;
pub mod conflist;
mod error;
pub mod message;
mod plugin;

pub use call::{Call, Command};
pub use error::CniError;
pub use plugin::{Outcome, run};
