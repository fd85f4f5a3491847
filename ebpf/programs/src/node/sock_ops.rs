//! sock_ops on the pods' cgroup: tie the app's end of a delivery to lo, and report connections. Linux 5.15.
//!
//! The kernel calls it about 13 times per connection; everything but four operations returns at once.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, BPF_SOCK_OPS_STATE_CB,
        BPF_SOCK_OPS_STATE_CB_FLAG, BPF_SOCK_OPS_TCP_CONNECT_CB, bpf_sock,
    },
    helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_ktime_get_ns, bpf_setsockopt},
    macros::sock_ops,
    programs::SockOpsContext,
};
use aya_log_ebpf::{debug, error};
use weir_ebpf_common::{
    Counter, FlowStart, RawEvent, control, kind, role,
    verdict::{self, Accepted},
};
use weir_ebpf_programs::{count, field, report, switched_on};

use crate::{
    maps::{AGENT_SOCKETS, CONTROL, COUNTERS, ENROLLED, EVENTS, FLOWS, WEIR_MARK},
    tuple,
};

const SOL_SOCKET: i32 = 1;
const SO_BINDTODEVICE: i32 = 25;
/// TCP_CLOSE of the kernel's `net/tcp_states.h`.
const CLOSE: u32 = 7;

#[sock_ops]
pub(crate) fn weir_sock_ops(ctx: SockOpsContext) -> u32 {
    match ctx.op() {
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => passive(&ctx),
        BPF_SOCK_OPS_TCP_CONNECT_CB => connecting(&ctx),
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB => active(&ctx),
        BPF_SOCK_OPS_STATE_CB => state(&ctx),
        _ => {}
    }
    1
}

#[inline(always)]
fn passive(ctx: &SockOpsContext) {
    // SAFETY: the context is the hook's own.
    let netns = unsafe { bpf_get_netns_cookie(ctx.as_ptr()) };
    if ENROLLED.get_ptr(netns).is_none() {
        return;
    }
    let sk = field!(ctx.ops, __bindgen_anon_2.sk);
    if sk.is_null() {
        return;
    }
    // SAFETY: not null, checked above.
    let agents = unsafe { AGENT_SOCKETS.get(sk.cast()) }.is_some();
    let accepted =
        Accepted { enrolled: true, mark: field!(sk, mark), agents, device: field!(sk, bound_dev_if) };
    if verdict::accept(&accepted, WEIR_MARK.load()) {
        tie_to_lo(ctx);
    }
    if !agents && switched_on(&CONTROL) & control::EVENTS != 0 {
        // SAFETY: not null, checked above.
        let mut start = unsafe { FLOWS.get_or_create(sk.cast()) };
        if let Some(start) = &mut start {
            // SAFETY: no arguments.
            start.time_ns = unsafe { bpf_ktime_get_ns() };
            start.role = u32::from(role::SERVER);
        }
        watch_state(ctx);
        tell(ctx, netns, kind::ESTABLISHED, 0, start.as_deref());
    }
}

#[inline(always)]
fn tie_to_lo(ctx: &SockOpsContext) {
    let mut name = *b"lo\0\0";
    // SAFETY: three bytes of the array: the name and its end.
    let result =
        unsafe { bpf_setsockopt(ctx.as_ptr(), SOL_SOCKET, SO_BINDTODEVICE, (&raw mut name).cast(), 3) };
    if result == 0 {
        count(&COUNTERS, Counter::LoBound);
        debug!(ctx, target: crate::LOG, "accepted on port {}: tied to lo", ctx.local_port());
    } else {
        count(&COUNTERS, Counter::LoBindFailed);
        error!(ctx, target: crate::LOG, "accepted on port {}: cannot be tied to lo, error {}", ctx.local_port(), result);
    }
}

#[inline(always)]
fn connecting(ctx: &SockOpsContext) {
    if let Some((netns, start)) = reported(ctx) {
        watch_state(ctx);
        tell(ctx, netns, kind::CONNECT, 0, Some(start));
    }
}

#[inline(always)]
fn active(ctx: &SockOpsContext) {
    if let Some((netns, start)) = reported(ctx) {
        tell(ctx, netns, kind::ESTABLISHED, 0, Some(start));
    }
}

#[inline(always)]
fn state(ctx: &SockOpsContext) {
    let before = field!(ctx.ops, __bindgen_anon_1.args[0]);
    let after = field!(ctx.ops, __bindgen_anon_1.args[1]);
    if after != CLOSE || switched_on(&CONTROL) & control::TRACEPOINT != 0 {
        return;
    }
    if let Some((netns, start)) = reported(ctx) {
        tell(ctx, netns, kind::CLOSED, before as u8, Some(start));
    }
}

/// Events are on and the socket is one that connect() or accept() announced: its namespace and start.
#[inline(always)]
fn reported(ctx: &SockOpsContext) -> Option<(u64, &'static FlowStart)> {
    if switched_on(&CONTROL) & control::EVENTS == 0 {
        return None;
    }
    let sk: *mut bpf_sock = field!(ctx.ops, __bindgen_anon_2.sk);
    if sk.is_null() {
        return None;
    }
    // SAFETY: not null, checked above.
    let start = unsafe { FLOWS.get(sk.cast()) }?;
    if start.role == u32::from(role::AGENT) {
        return None;
    }
    // SAFETY: the context is the hook's own.
    Some((unsafe { bpf_get_netns_cookie(ctx.as_ptr()) }, start))
}

/// Asks for the state changes of this socket, for `kind::CLOSED`.
#[inline(always)]
fn watch_state(ctx: &SockOpsContext) {
    // A failure means that the close is not reported; nothing else depends on it.
    let _ = ctx.set_cb_flags((ctx.cb_flags() | BPF_SOCK_OPS_STATE_CB_FLAG) as i32);
}

#[inline(always)]
fn tell(ctx: &SockOpsContext, netns_cookie: u64, kind: u8, reason: u8, start: Option<&FlowStart>) {
    let tuple = tuple::of(ctx);
    let event = RawEvent {
        time_ns: 0,
        netns_cookie,
        cgroup_id: 0,
        // SAFETY: the context is the hook's own.
        socket_cookie: unsafe { bpf_get_socket_cookie(ctx.as_ptr()) },
        bytes_sent: if kind == kind::CLOSED { field!(ctx.ops, bytes_acked) } else { 0 },
        bytes_received: if kind == kind::CLOSED { field!(ctx.ops, bytes_received) } else { 0 },
        duration_ns: 0,
        local: tuple.local,
        remote: tuple.remote,
        local_port: tuple.local_port,
        remote_port: tuple.remote_port,
        pid: 0,
        // The kernel keeps eighths.
        rtt_us: if kind == kind::CONNECT { 0 } else { field!(ctx.ops, srtt_us) >> 3 },
        kind,
        reason,
        role: 0,
        pad: 0,
        comm: [0; 16],
    };
    report(&EVENTS, &COUNTERS, &event, start);
}
