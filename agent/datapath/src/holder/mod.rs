//! The holder: a second, tiny process that keeps the pods' listening sockets open while no agent runs.
//!
//! A socket that is still open stays in its slot, so connections queue up instead of being refused, and the next agent accepts them from
//! the same sockets. The holder accepts nothing, parses nothing from the network and enters no namespace.
//!
//! ```text
//!   agent ── keep / take / forget (Unix socket, SCM_RIGHTS) ──> weir-agent hold
//! ```
//! A held socket keeps its pod's namespace alive, so the agent says `forget` when a pod is un-enrolled or deleted, and the holder lets
//! everything go when no agent has come for two minutes.

mod client;
mod message;
mod peer;
mod server;
mod store;

pub(crate) use client::Holder;
pub use server::hold;
