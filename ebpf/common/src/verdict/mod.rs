//! The decision of every hook, apart from the hook.

mod accept;
mod bind;
mod connect;
mod kubelet;
mod lookup;

pub use accept::{Accepted, accept};
pub use bind::bind;
pub use connect::{Connect, ConnectFacts, Exempt, connect};
pub use kubelet::{Probe, kubelet};
pub use lookup::{Drop, Lookup, LookupFacts, Pass, Target, lookup};
