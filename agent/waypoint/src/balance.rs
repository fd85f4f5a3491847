//! Which endpoint a request goes to, and what its fate says of the endpoint.
//!
//! A [`Cluster`] is one port (and perhaps one subset) of a backend. Endpoints come and go by [`Cluster::update`]; those that
//! stay keep what is known of them. Nothing here reads a clock or draws a number: both are parameters.
//!
//! ```text
//!   Endpoints --update--> members --health, locality--> Picture: levels > groups > Pool (weights, ring or maglev)
//!   pick: limits -> level -> group -> Pool -> Picked (counts while it lives) --done(outcome)--> outlier detection
//! ```
mod affinity;
mod algorithm;
mod breaker;
mod budget;
mod cluster;
mod context;
mod endpoint;
mod load;
mod locality;
mod maglev;
mod outlier;
mod picked;
mod picture;
mod pool;
mod ring;
mod warmup;

#[cfg(test)]
mod fixture;

pub use affinity::{Affinity, HashKey};
pub use breaker::{Breakers, Limit, Permit};
pub use cluster::Cluster;
pub use context::{PickContext, PickError, Purpose};
pub use endpoint::{Address, Endpoint};
pub use locality::Own;
pub use outlier::Outcome;
pub use picked::Picked;
