//! The L7 half of the mesh: routes requests, balances them over endpoints, authorizes them, and says what happened.
//!
//! `route`, `balance` and `authorize` decide and know no sockets; `proxy` has the sockets and decides nothing;
//! `configuration` is what the control plane said, and `run` joins them all with tunnels and streams of discovery.
#![forbid(unsafe_code)]

pub mod authorize;
pub mod balance;
pub mod configuration;
pub mod proxy;
pub mod route;
pub mod run;
pub mod upstream;
