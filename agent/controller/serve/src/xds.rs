//! Delta discovery: what each client asked for, and what it still has to be sent.
//!
//! ```text
//!   request ---> [Session] ---> response        no I/O, no clock
//!                   |  one per type
//!             [Subscription] <--- [Published]   the picture, and the order of its changes
//! ```
//! The service joins a session with a gRPC stream; the decisions are all in the session.

mod config;
mod error;
mod metrics;
mod node;
mod response;
mod service;
mod session;
mod stream;
mod subscription;
#[cfg(test)]
mod tests;

pub use config::XdsConfig;
pub use metrics::XdsMetrics;
pub use service::XdsService;

pub(crate) use error::Refusal;
pub(crate) use response::Collection;
#[cfg(feature = "fuzz")]
pub(crate) use session::Session;
