//! tp_btf/inet_sock_set_state: the ends of connections, and those that no cgroup hook can see. Linux 5.11.
//!
//! It sees every TCP socket of the node: older than the trace, and of processes that entered a pod's namespace from
//! outside of the pods' cgroup, whose connections nothing captures.

use core::ffi::c_void;

use aya_ebpf::{
    helpers::generated::{
        bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_socket_cookie,
        bpf_ktime_get_ns, bpf_probe_read_kernel,
    },
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use weir_ebpf_common::{Addr, FlowStart, RawEvent, StateOffsets, TCP, kind, role};
use weir_ebpf_programs::report;

use crate::maps::{AGENT_SOCKETS, COUNTERS, ENROLLED, EVENTS, EXEMPT, FLOWS, OFFSETS};

const AF_INET: u16 = 2;
const SYN_SENT: i32 = 2;
const CLOSE: i32 = 7;
const LISTEN: i32 = 10;

#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn weir_state(ctx: BtfTracePointContext) -> i32 {
    let sk = ctx.arg::<*mut c_void>(0);
    let before = ctx.arg::<i32>(1);
    let after = ctx.arg::<i32>(2);
    let opens = after == SYN_SENT;
    let ends = after == CLOSE && before != LISTEN;
    if opens || ends {
        observe(sk, before, opens);
    }
    0
}

#[inline(always)]
fn observe(sk: *mut c_void, before: i32, opens: bool) {
    let at = OFFSETS.load();
    if u32::from(read::<u16>(sk, at.sk_protocol)) != TCP {
        return;
    }
    let net = read::<u64>(sk, at.sk_net) as *mut c_void;
    let netns = read::<u64>(net, at.net_cookie);
    if ENROLLED.get_ptr(netns).is_none() {
        return;
    }
    if opens { opened(sk, netns, &at) } else { closed(sk, netns, before, &at) }
}

/// A socket of the cgroup hooks has a start already, and they report it.
#[inline(always)]
fn opened(sk: *mut c_void, netns: u64, at: &StateOffsets) {
    // SAFETY: the tracepoint's own socket, never null.
    if unsafe { FLOWS.get(sk) }.is_some() {
        return;
    }
    // SAFETY: as above.
    let Some(start) = (unsafe { FLOWS.get_or_create(sk) }) else {
        return;
    };
    // SAFETY: no arguments.
    let cgroup = unsafe { bpf_get_current_cgroup_id() };
    let role = if EXEMPT.get_ptr(cgroup).is_some() { role::AGENT } else { role::CLIENT };
    start.role = u32::from(role);
    start.cgroup_id = cgroup;
    // SAFETY: helpers without arguments, and one that writes exactly the 16 bytes of `comm`.
    unsafe {
        start.time_ns = bpf_ktime_get_ns();
        start.pid = (bpf_get_current_pid_tgid() >> 32) as u32;
        bpf_get_current_comm((&raw mut start.comm).cast(), 16);
    }
    if role != role::AGENT {
        tell(sk, netns, kind::OUTSIDE, 0, Some(start), at);
    }
}

#[inline(always)]
fn closed(sk: *mut c_void, netns: u64, before: i32, at: &StateOffsets) {
    // SAFETY: the tracepoint's own socket, never null.
    if unsafe { AGENT_SOCKETS.get(sk) }.is_some() {
        return;
    }
    // SAFETY: as above.
    let start = unsafe { FLOWS.get(sk) };
    if start.is_some_and(|start| start.role == u32::from(role::AGENT)) {
        return;
    }
    tell(sk, netns, kind::CLOSED, before as u8, start, at);
}

#[inline(always)]
fn tell(
    sk: *mut c_void,
    netns_cookie: u64,
    kind: u8,
    reason: u8,
    start: Option<&FlowStart>,
    at: &StateOffsets,
) {
    let (local, remote) = if read::<u16>(sk, at.sk_family) == AF_INET {
        (Addr::v4(read(sk, at.sk_rcv_saddr)), Addr::v4(read(sk, at.sk_daddr)))
    } else {
        (address(sk, at.sk_v6_rcv_saddr), address(sk, at.sk_v6_daddr))
    };
    let event = RawEvent {
        time_ns: 0,
        netns_cookie,
        cgroup_id: 0,
        // SAFETY: the tracepoint's own socket.
        socket_cookie: unsafe { bpf_get_socket_cookie(sk) },
        bytes_sent: read(sk, at.bytes_acked),
        bytes_received: read(sk, at.bytes_received),
        duration_ns: 0,
        local,
        remote,
        local_port: u16::from_be(read(sk, at.inet_sport)),
        remote_port: u16::from_be(read(sk, at.sk_dport)),
        pid: 0,
        // The kernel keeps eighths.
        rtt_us: read::<u32>(sk, at.srtt_us) >> 3,
        kind,
        reason,
        role: 0,
        pad: 0,
        comm: [0; 16],
    };
    report(&EVENTS, &COUNTERS, &event, start);
}

#[inline(always)]
fn address(sk: *mut c_void, offset: u32) -> Addr {
    Addr::v6(read(sk, offset), read(sk, offset + 4), read(sk, offset + 8), read(sk, offset + 12))
}

/// A field of a kernel structure; 0 where it cannot be read.
#[inline(always)]
fn read<T: Copy + Default>(base: *mut c_void, offset: u32) -> T {
    let mut value = T::default();
    // SAFETY: the helper checks the address itself, and writes size_of::<T>() bytes of an integer on the stack.
    unsafe {
        let from = base.cast::<u8>().wrapping_add(offset as usize);
        bpf_probe_read_kernel((&raw mut value).cast(), size_of::<T>() as u32, from.cast());
    }
    value
}
