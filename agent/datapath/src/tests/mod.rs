//! Tests that make namespaces, cgroups and kernel programs: they need root.
//!
//! Without root they are skipped with a line on stderr, but fail where `CI=true`.

mod addresses;
mod adopt;
pub(crate) mod ground;
mod inbound;
mod lifecycle;
mod outbound;
mod races;
mod repair;
mod self_test;
mod stage;
