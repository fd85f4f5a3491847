#![cfg_attr(not(test), no_std)]
//! What the eBPF programs and user space agree on: layouts, constants, and the verdict of every hook.
//!
//! Plain integers and byte arrays only, padded by hand and asserted at compile time, because a pinned map outlives the
//! process (and the compiler) that made it. The verdicts are pure functions: the programs call them with the kernel's
//! maps behind them, the host tests call them with tables.

#![forbid(unsafe_op_in_unsafe_fn)]

mod addr;
mod flow;
mod hash;
pub mod slots;

pub use addr::Addr;
pub use flow::FlowTuple;
pub use hash::hash;

/// The mark that means "capture this socket", all 32 bits ("WEIR"). Never "exempt": CAP_NET_RAW can set it.
pub const MARK: u32 = 0x5745_4952;

/// Port on which a pod takes HBONE tunnels; sk_lookup gives it listeners of its own.
pub const HBONE_PORT: u16 = 15008;

/// A kubelet's probe is let through to the app for this long after its SYN was announced, in nanoseconds.
pub const PROBE_LIFETIME_NS: u64 = 10_000_000_000;

/// Name of the directory below the bpffs root. It changes whenever a layout in this crate changes: the kernel does
/// not compare the layout of a pinned map with that of the program which opens it.
pub const ABI: &str = "v1";
