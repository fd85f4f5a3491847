//! The messages on the wire, as generated code that is checked in.
//!
//! `proto/**.proto` is the source; `cargo xtask codegen` writes `src/gen`, `--check` proves it fresh. Nothing is
//! decided here: what a message means, and which messages are refused, is discovery's business.
#![forbid(unsafe_code)]

/// Package `istio.workload`: workloads and services (`istio/workload/workload.proto`).
pub mod workload {
    #![allow(missing_docs, clippy::all, reason = "generated; what matters is documented in the .proto file")]
    include!("gen/istio.workload.rs");
}
