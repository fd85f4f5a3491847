//! Stories in a cluster of network namespaces: real agents, real programs, real packets.
//!
//! One file per theme. They need root, and fail without it; `WEIR_SKIP_PRIVILEGED=1` skips them on
//! a laptop, but never where `CI` is set.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that cannot go on must fail")]

mod bind;
mod calls;
mod conformance;
mod control;
mod data;
mod discovery;
mod drain;
mod fail_closed;
mod faults;
mod files;
mod fire;
mod harness;
mod hostile;
mod identity;
mod inbound;
mod kubernetes;
mod lifecycle;
mod limits;
mod live;
mod outbound;
mod peer;
mod pods;
mod policy;
mod policy_source;
mod requests;
mod rotation;
mod security;
mod support;
mod waypoint;
mod waypoint_bound;
mod waypoint_tls;
