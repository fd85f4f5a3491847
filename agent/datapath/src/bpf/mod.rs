//! The kernel's side of the data path: objects, programs, maps, links and pins.
//!
//! Interface first (bodies follow in the next commits); see the items for what each promises.

use std::{
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

pub(crate) use weir_ebpf_common::{FlowTuple, slots};

/// What the node's programs need to know at start.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// `<bpffs>/v1`: everything that must outlive the process is pinned below it.
    pub(crate) root: PathBuf,
    /// cgroup v2 directory that holds all pods of the node.
    pub(crate) pods_cgroup: PathBuf,
    /// cgroup v2 directory of the kubelet; `None` leaves probes to the agent.
    pub(crate) kubelet_cgroup: Option<PathBuf>,
    /// The mark that means "capture", all 32 bits.
    pub(crate) mark: u32,
    /// 0 off, 1 error .. 5 trace: compiled into the programs when they are loaded.
    pub(crate) log_level: u8,
    /// `false`: links are held by this value alone and the maps' pins go with it (self-test).
    pub(crate) pinned: bool,
}

/// Something of ours that is not in the kernel as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Which artefact: `connect4`, `sock_ops`, ...
    pub(crate) what: &'static str,
    /// What is wrong with it, for a log line.
    pub(crate) why: String,
}

/// Error of this module.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BpfError {
    /// Filled in by the next commit.
    #[error("not there yet")]
    NotYet,
}

type Result<T> = std::result::Result<T, BpfError>;

/// Sum over CPUs of what the programs decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counters(pub(crate) Vec<(&'static str, u64)>);

/// connect4/6, bind4/6 and sock_ops on the pods' cgroup, sock_ops on the kubelet's.
#[derive(Debug)]
pub(crate) struct NodePrograms;

#[allow(unused_variables, clippy::unimplemented, clippy::allow_attributes_without_reason)]
impl NodePrograms {
    /// Loads the programs, adopts pinned maps (layout checked) and links (updated in place), attaches what is missing.
    pub(crate) fn start(config: &Config) -> Result<Self> { unimplemented!() }
    /// From now on connections of this network namespace are captured. Call last.
    pub(crate) fn enrol(&self, netns_cookie: u64) -> Result<()> { unimplemented!() }
    /// Absent is fine.
    pub(crate) fn unenrol(&self, netns_cookie: u64) -> Result<()> { unimplemented!() }
    pub(crate) fn is_enrolled(&self, netns_cookie: u64) -> Result<bool> { unimplemented!() }
    /// Cookies of all enrolled namespaces (for removal of what a dead agent left).
    pub(crate) fn enrolled(&self) -> Result<Vec<u64>> { unimplemented!() }
    /// An address of the namespace itself: connections to it are not captured.
    pub(crate) fn own_add(&self, netns_cookie: u64, ip: IpAddr) -> Result<()> { unimplemented!() }
    pub(crate) fn own_remove(&self, netns_cookie: u64, ip: IpAddr) -> Result<()> { unimplemented!() }
    pub(crate) fn own_clear(&self, netns_cookie: u64) -> Result<()> { unimplemented!() }
    /// Sockets made by processes of this cgroup (id = st_ino of its directory) are never captured.
    pub(crate) fn exempt_cgroup(&self, id: u64) -> Result<()> { unimplemented!() }
    pub(crate) fn unexempt_cgroup(&self, id: u64) -> Result<()> { unimplemented!() }
    /// Replaces the whole set of excluded destinations by (address, prefix length).
    pub(crate) fn set_exclude(&self, networks: &[(IpAddr, u8)]) -> Result<()> { unimplemented!() }
    pub(crate) fn probe_port_add(&self, ip: IpAddr, port: u16) -> Result<()> { unimplemented!() }
    pub(crate) fn probe_port_remove(&self, ip: IpAddr, port: u16) -> Result<()> { unimplemented!() }
    /// Marks a listener of the agent, its children inherit it: sock_ops leaves them alone (C5). Before `set_slot`.
    pub(crate) fn tag_listener(&self, listener: &impl AsFd) -> Result<()> { unimplemented!() }
    /// Every link alive, of the right type, on the right cgroup, running our program.
    pub(crate) fn verify(&self) -> Vec<Fault> { unimplemented!() }
    /// Attaches again what `verify` finds broken; returns what was repaired.
    pub(crate) fn repair(&self) -> Result<Vec<Fault>> { unimplemented!() }
    pub(crate) fn counters(&self) -> Result<Counters> { unimplemented!() }
    /// Live connection events of the node's pods; the first reader switches them on, the last one off.
    pub(crate) fn events(&self) -> Result<crate::events::EventStream> { unimplemented!() }
    /// The per-pod loader that shares this node's maps.
    pub(crate) fn pods(&self) -> Result<PodPrograms> { unimplemented!() }
    /// Detaches everything and removes all pins below the root, pods' included.
    pub(crate) fn detach_all(self) -> Result<()> { unimplemented!() }
}

/// Loads one sk_lookup instance per pod.
#[derive(Debug, Clone)]
pub(crate) struct PodPrograms;

#[allow(unused_variables, clippy::unimplemented, clippy::allow_attributes_without_reason)]
impl PodPrograms {
    /// Adopts `<root>/pods/<name>` when its link is of this very namespace, else starts fresh (not attached yet).
    pub(crate) fn load(&self, pod_dir_name: &str, netns: BorrowedFd<'_>) -> Result<PodProgram> { unimplemented!() }
}

/// The sk_lookup instance of one pod with its maps.
#[derive(Debug)]
pub(crate) struct PodProgram;

#[allow(unused_variables, clippy::unimplemented, clippy::allow_attributes_without_reason)]
impl PodProgram {
    /// The pins of an earlier agent were taken over, the link is already live.
    pub(crate) fn adopted(&self) -> bool { unimplemented!() }
    pub(crate) fn set_slot(&self, slot: u32, listener: &impl AsFd) -> Result<()> { unimplemented!() }
    /// SO_COOKIE of the socket in a slot.
    pub(crate) fn slot_cookie(&self, slot: u32) -> Result<Option<u64>> { unimplemented!() }
    pub(crate) fn clear_slot(&self, slot: u32) -> Result<()> { unimplemented!() }
    /// `base` = `slots::interface_base(n)`.
    pub(crate) fn set_interface(&self, ifindex: u32, base: u32) -> Result<()> { unimplemented!() }
    pub(crate) fn remove_interface(&self, ifindex: u32) -> Result<()> { unimplemented!() }
    pub(crate) fn interfaces(&self) -> Result<Vec<(u32, u32)>> { unimplemented!() }
    pub(crate) fn own_add(&self, ip: IpAddr) -> Result<()> { unimplemented!() }
    pub(crate) fn own_remove(&self, ip: IpAddr) -> Result<()> { unimplemented!() }
    pub(crate) fn own(&self) -> Result<Vec<IpAddr>> { unimplemented!() }
    /// Fill the slots first: sk_lookup spreads over 0..n from here on.
    pub(crate) fn set_workers(&self, n: u32) -> Result<()> { unimplemented!() }
    /// Links the program to the namespace and pins the link; stray older instances are detached. No-op when live.
    pub(crate) fn attach(&mut self) -> Result<()> { unimplemented!() }
    /// Link gone and all pins of the pod removed; maps live until this value is dropped.
    pub(crate) fn detach_and_unpin(&mut self) -> Result<()> { unimplemented!() }
    /// The link is attached to the pod's namespace and runs this program.
    pub(crate) fn alive(&self) -> bool { unimplemented!() }
    /// What the kernel's program answers for this packet, without traffic and without the interface branch
    /// (BPF_PROG_TEST_RUN has ifindex 0): tells outbound from drop from pass.
    pub(crate) fn test_run(&self, tuple: &FlowTuple) -> Result<Pick> { unimplemented!() }
}

/// Answer of `PodProgram::test_run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pick {
    /// SK_PASS without a socket: the kernel looks for the app's listener.
    Pass,
    /// SK_DROP.
    Drop,
    /// Handed to the socket with this SO_COOKIE.
    Socket(u64),
}

/// One directory of `<root>/pods`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PinnedPod {
    pub(crate) name: String,
    /// Inode of the namespace that the pinned link is on; 0 = the namespace is gone (or there is no link).
    pub(crate) netns_ino: u32,
}

/// What an earlier agent left pinned.
#[allow(unused_variables, clippy::unimplemented, clippy::allow_attributes_without_reason)]
pub(crate) fn list_pinned_pods(root: &Path) -> Result<Vec<PinnedPod>> { unimplemented!() }

/// Removes the pins of one pod (its link detaches with the last one).
#[allow(unused_variables, clippy::unimplemented, clippy::allow_attributes_without_reason)]
pub(crate) fn remove_pinned_pod(root: &Path, name: &str) -> Result<()> { unimplemented!() }
