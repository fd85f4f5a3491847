//! The data path: the one crate that meets the kernel.
//!
//! It loads the eBPF programs, prepares each pod's network namespace so that the pod's connections come to the agent, makes the sockets
//! in there, and keeps all of it true: a pod is not "enrolled once" but compared with what it should be, again and again. The agent
//! calls it; it knows nothing of tunnels, certificates or configuration sources.
//!
//! ```text
//!            Datapath::start ── selftest (scratch namespaces, real connections)
//!                 │
//!   enrol ──┐     │
//!   watch ──┼─> converge (one walk: look, repair, say) ──> netlink: rules, routes   sysctl
//! reconcile ┘     │                                   ├──> listener ─> bpf: slots, own addresses, link
//!                 │                                   └──> bpf: enrolled cookie (last)
//!              unenrol (stop, drain, clean)
//! ```
//!
//! What a pod's namespace gets is listed in `layout.rs`; the reasons for the order of things are in `converge.rs` and `unenrol.rs`.

mod address;
mod alone;
mod bpf;
mod cgroup;
mod config;
mod converge;
mod datapath;
mod enrol;
mod error;
mod events;
mod holder;
mod layout;
mod listener;
mod netlink;
mod netns;
mod pod;
mod reconcile;
mod release;
mod scratch;
mod selftest;
mod sockdiag;
mod socket;
mod state;
mod sysctl;
mod unenrol;
mod watch;

#[cfg(test)]
mod tests;

pub use config::{Config, Kubelet, tells_processes_apart};
pub use datapath::{Datapath, Mode};
pub use error::DatapathError;
pub use events::{Event, EventKind, EventStream, ExemptReason, Role};
pub use holder::hold;
pub use listener::{ListenerKind, PodListener};
pub use pod::{EnrolledPod, PodSpec};
pub use reconcile::Report;
pub use socket::PodSockets;
pub use unenrol::Leave;
