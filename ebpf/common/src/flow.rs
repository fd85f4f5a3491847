//! The four numbers that name a TCP connection, seen from the pod.

use crate::Addr;

/// A connection as the pod's namespace sees it. Key of the probe map and input of the slot hash.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowTuple {
    /// Destination of the SYN (for inbound traffic an address of the pod).
    pub local: Addr,
    /// Source of the SYN.
    pub remote: Addr,
    /// Destination port, host byte order.
    pub local_port: u16,
    /// Source port, host byte order.
    pub remote_port: u16,
}

const _: () = assert!(size_of::<FlowTuple>() == 36 && align_of::<FlowTuple>() == 4);
