//! Weir's L4 tunnel: HBONE, both ends.
//!
//! The agent gives it captured sockets, a directory and certificates; it decides where each connection goes,
//! carries it in an mTLS tunnel to the other node, and says in metrics and log lines who talked to whom.
//!
//! ```text
//!   application        Worker (one thread)                       Worker of the other node       application
//!   connect() ---> [outbound listener] -> route                  [HBONE listener] -> admit
//!                            '-> pool -> TLS, HTTP/2 CONNECT ==15008==> stream -> deliver ---> accept()
//! ```
//! `core` is the protocol without sockets, `io` the sockets without decisions. [`Workers`] runs both.
#![forbid(unsafe_code)]

mod access;
mod config;
pub mod core;
mod error;
pub mod gateway;
mod io;
mod limits;
mod metrics;
mod open;
mod shared;
mod worker;

pub use access::{AccessLog, Direction, Moment, Record, TracingLog};
pub use config::Config;
pub use error::TunnelError;
pub use io::HBONE_PORT;
pub use io::tls::TlsError;
#[cfg(feature = "fuzz")]
pub use io::tls::fuzz as records;
pub use limits::Limits;
pub use metrics::{ConnectionLabels, Label, Metrics, Reporter, ReporterLabels, ServiceLabels};
pub use open::OpenConnection;
pub use shared::{DirectoryReader, LocalPod, PodNetwork, Pods, Shared};
pub use worker::{ListenerKind, Worker, Workers};
