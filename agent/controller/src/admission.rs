//! The validating webhook: tells the author of an object what its status would say, before the object is stored.
//!
//! What is refused here is what [`weir_resources::parse`] and [`weir_index::check`] refuse, in the same words, and it does not
//! depend on what the controller knows of the mesh: an answer can be given from the first moment, by every replica.
//! Whether objects get past a webhook that does not answer is the API server's to decide (`failurePolicy`).

mod limits;
mod metrics;
mod review;
mod server;

pub use limits::Limits;
pub use metrics::AdmissionMetrics;
pub use review::{Malformed, answer};
pub use server::{Admission, serve};

#[cfg(test)]
mod tests;
