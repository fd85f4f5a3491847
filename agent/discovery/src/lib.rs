//! Where the mesh comes from: a control plane by delta xDS, or one YAML file.
//!
//! Both go the same way. A source yields the messages of `weir-proto`; [`convert`] makes nouns of the model of
//! them, or says why not; the difference is applied to the [`Directory`](weir_model::Directory) and published
//! through the [`Store`] that the data path reads.
//!
//! ```text
//!   mesh.yaml --file---> messages --convert--> workloads, services, --apply--> Store (readers)
//!   controller --xds-/                         policies                  \---> Update (who follows this node)
//! ```
//!
//! A source that cannot be read or understood changes nothing: what was known stays in force.
#![forbid(unsafe_code)]

mod answer;
mod apply;
pub mod channel;
pub mod convert;
mod file;
mod follow;
mod intern;
mod metrics;
mod node_pod;
pub mod node_reports;
pub mod on_demand;
mod store;
mod update;
mod watch;
pub mod xds;

pub use apply::Changes;
pub use file::{Entry, File, FileError, Problem, load_file, parse};
pub use metrics::Metrics;
pub use node_pod::{Captured, NodePod, Wish};
pub use store::Store;
pub use update::{LocalWorkload, Update};
pub use watch::watch_file;
