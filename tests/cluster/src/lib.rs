//! Stories against a Kubernetes API. Those in `tests/it` run a controller beside the API of `$KUBECONFIG`, else beside the one of the
//! harness; those in `tests/live` install the mesh into a real cluster and take it away again. `README.md` says how.
//!
//! ```text
//!   tests/live --(exec in pods)--> weir-pod --> said (what it prints)
//! ```
#![forbid(unsafe_code)]

pub mod difference;
pub mod said;
