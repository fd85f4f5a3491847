//! The L7 half of the mesh: routes requests, balances them over endpoints, authorizes them, and says what happened.
//!
//! `route`, `balance` and `authorize` decide and know no sockets; `proxy` has the sockets and decides nothing.
#![forbid(unsafe_code)]

pub mod authorize;
pub mod balance;
pub mod configuration;
pub mod proxy;
pub mod route;
