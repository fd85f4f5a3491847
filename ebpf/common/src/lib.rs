#![cfg_attr(not(test), no_std)]
//! What the eBPF programs and user space agree on: layouts, constants, and the verdict of every hook.
//!
//! Plain integers and byte arrays only, padded by hand and asserted at compile time, because a pinned map outlives the
//! process (and the compiler) that made it. The verdicts are pure functions over a trait of facts: the programs answer
//! the trait from kernel maps, the host tests from tables.
//!
//! ```text
//! connect4/6   verdict::connect    who is captured, and why not
//! bind4/6      verdict::bind       which bind gets SO_REUSEADDR
//! sock_ops     verdict::accept     which accepted socket is tied to lo
//! sock_ops     verdict::kubelet    which connection is a declared probe of the kubelet
//! sk_lookup    verdict::lookup     which listener gets an arriving SYN
//! ```

mod addr;
mod counter;
mod event;
mod flow;
mod hash;
mod keys;
pub mod slots;
#[cfg(feature = "user")]
mod user;
pub mod verdict;

pub use addr::Addr;
pub use counter::Counter;
pub use event::{FlowStart, RawEvent, control, kind, role};
pub use flow::FlowTuple;
pub use hash::hash;
pub use keys::{OwnKey, PodConfig, PrefixKey, ProbePort, ProcessKey, ProcessView, StateOffsets, TICK_NS};

/// The mark that means "capture this socket", all 32 bits ("WEIR"). Never "exempt": CAP_NET_RAW can set it.
pub const MARK: u32 = 0x5745_4952;

/// Port on which a pod takes HBONE tunnels; sk_lookup gives it listeners of its own.
pub const HBONE_PORT: u16 = 15008;

/// A kubelet's probe is let through to the app for this long after its SYN was announced, in nanoseconds.
pub const PROBE_LIFETIME_NS: u64 = 10_000_000_000;

/// Name of the directory below the bpffs root. It changes whenever a layout in this crate changes: the kernel does
/// not compare the layout of a pinned map with that of the program which opens it.
pub const ABI: &str = "v1";

/// IPPROTO_TCP. MPTCP sockets show it too: the hooks see their TCP subflows.
pub const TCP: u32 = 6;
