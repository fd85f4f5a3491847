//! The proxy between real clients and real servers, over loopback or within memory (where time is what matters).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed unwrap in a test is a failed test, which is what it is for"
)]

mod world;

mod backends;
mod conformance;
mod extended;
mod flow;
mod grpc;
mod http1;
mod http2;
mod interim;
mod poison;
mod routes;
mod smuggling;
mod tcp;
mod telemetry;
mod tries;
mod upgrade;
