//! How the control plane meets its clients: who they are, what they may ask for, and how they get it.
#![forbid(unsafe_code)]

pub mod auth;
pub mod ca;
