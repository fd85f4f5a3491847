//! The Kubernetes half of the sources, against an API server that misbehaves to order.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is a failed test")]

mod errands;
mod faults;
mod kinds;
mod leader;
mod mirror;
mod pods;
mod status;
mod support;
mod token_keys;
mod waypoints;
