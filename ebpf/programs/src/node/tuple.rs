//! The addresses of a socket, as sock_ops shows them.

use aya_ebpf::programs::SockOpsContext;
use weir_ebpf_common::{Addr, FlowTuple};
use weir_ebpf_programs::{address, field};

const AF_INET: u32 = 2;

/// Addresses and ports of the socket itself. A v4-mapped socket has family AF_INET6 and mapped addresses, which is the
/// same `Addr` as plain IPv4.
#[inline(always)]
pub(crate) fn of(ctx: &SockOpsContext) -> FlowTuple {
    let ops = ctx.ops;
    // All fields first, then the choice: see `weir_ebpf_programs::field`.
    let family = field!(ops, family);
    let remote4 = Addr::v4(field!(ops, remote_ip4));
    let local4 = Addr::v4(field!(ops, local_ip4));
    let remote6 = address!(ops, remote_ip6);
    let local6 = address!(ops, local_ip6);
    let remote_port = field!(ops, remote_port);
    let local_port = field!(ops, local_port);
    let (local, remote) = if family == AF_INET { (local4, remote4) } else { (local6, remote6) };
    FlowTuple {
        local,
        remote,
        local_port: local_port as u16,
        // Network byte order in the upper half of the word.
        remote_port: u32::from_be(remote_port) as u16,
    }
}
