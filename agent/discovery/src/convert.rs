//! From a message to a noun of the model, or the reason why not.
//!
//! What is refused is refused alone: the caller goes on with the other resources and reports the
//! [`Rejection`] (delta xDS in its NACK, the file reader as an error of the file). Nothing is guessed: an
//! address of a wrong length, an enum number from the future or a gateway without a destination could each
//! mean that traffic has to go somewhere else than we would send it.

use weir_proto::workload as proto;

mod authorization;
mod common;
mod connections;
mod node_pod;
mod rejection;
mod service;
mod workload;

pub use authorization::{authorization, refused_authorization};
pub use node_pod::node_pod;
pub use rejection::{Reason, Rejection};
pub use service::service;
pub use workload::workload;

/// What an `istio.workload.Address` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A workload.
    Workload(Box<weir_model::Workload>),
    /// A service.
    Service(Box<weir_model::Service>),
}

/// Converts the resource of type `istio.workload.Address`.
///
/// # Errors
/// As [`workload()`] and [`service()`]; also a message that holds neither (or something newer).
pub fn address(message: proto::Address) -> Result<Resource, Rejection> {
    match message.r#type {
        Some(proto::address::Type::Workload(message)) => {
            workload(message).map(|w| Resource::Workload(Box::new(w)))
        }
        Some(proto::address::Type::Service(message)) => {
            service(message).map(|s| Resource::Service(Box::new(s)))
        }
        None => Err(Rejection { resource: String::new(), field: "type".into(), reason: Reason::Missing }),
    }
}

#[cfg(test)]
mod tests;
