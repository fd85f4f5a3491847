//! The kernel's side of the data path: eBPF objects, maps, links, and the pins that outlive the agent.
//!
//! ```text
//!  NodePrograms ── hooks ── link ─┐            pins: <root>/{maps,links,pods}
//!      │  └─ members (table)      ├── sys: bpf(2)
//!      ├─ pods() ── PodPrograms ──┤
//!      │               └─ PodProgram (one per pod) ── stray
//!      ├─ events() ── crate::events (ring buffer, tracepoint)
//!      └─ log (lines of the programs)
//! ```
//! aya parses the objects, makes the maps and talks to the verifier (`object`). Links and map access are bpf(2) calls of
//! our own: aya has no BPF_LINK_UPDATE for cgroups and namespaces, and no typed access that is shared between threads.

mod counters;
mod error;
mod hooks;
mod link;
mod log;
mod members;
mod neighbours;
mod node;
mod object;
mod offsets;
mod pins;
mod pod;
mod stray;
mod sys;
mod table;
#[cfg(test)]
mod tests;
mod trace;
mod wake;

use std::path::PathBuf;

use crate::config::Kubelet;

pub(crate) use counters::CounterTable;
pub(crate) use error::BpfError;
pub(crate) use hooks::KUBELET_HOOK;
pub(crate) use node::{NodePrograms, tells_processes_apart};
pub(crate) use object::Pins;
pub(crate) use pins::{PinnedPod, list_pinned_pods, remove_pinned_pod};
pub(crate) use pod::{PodProgram, PodPrograms};
pub(crate) use trace::{Switches, Tracepoint};
pub(crate) use wake::{Wake, eventfd, wait, wake_up};
pub(crate) use weir_ebpf_common::slots;

/// What the node's programs need to know at start.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// `<bpffs>/v1`: everything that must outlive the process is pinned below it.
    pub(crate) root: PathBuf,
    /// cgroup v2 directory that holds all pods of the node.
    pub(crate) pods_cgroup: PathBuf,
    /// Whose probes are told apart.
    pub(crate) kubelet: Kubelet,
    /// The mark that means "capture", all 32 bits.
    pub(crate) mark: u32,
    /// 0 off, 1 error .. 5 trace: compiled into the programs when they are loaded.
    pub(crate) log_level: u8,
}

/// Something of ours that is not in the kernel as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Which artefact: `connect4`, `sock_ops`, ...
    pub(crate) what: &'static str,
    /// What is wrong with it, for a log line.
    pub(crate) why: String,
}
