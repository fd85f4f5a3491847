//! The crate from outside: YAML in, the neutral form and the words of the statuses out.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is a failed test")]

mod cases;
mod golden;
mod properties;
mod text;
mod world;
