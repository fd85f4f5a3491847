//! The waypoint with real TLS and tunnels on loopback, between a client and endpoints that the tests play; what the control
//! plane says is said by the tests, too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed unwrap in a test is a failed test, which is what it is for"
)]

mod pki;
mod world;

mod arrivals;
mod feed;
mod names;
mod pods;
mod requests;
mod tls;
