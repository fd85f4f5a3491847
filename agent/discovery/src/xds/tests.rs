//! The client against control planes that follow a script: over a pipe in the process, with time that only passes when
//! everybody waits.

mod client;
mod converge;
pub(crate) mod fixture;
mod istiod;
mod lost;
mod node_pods;
mod policies;
mod stream;
