//! sock_ops around the kubelet: announce declared probes to the pod's sk_lookup. Linux 4.13.
//!
//! At TCP_CONNECT the source port is chosen and the SYN has not left, so the announcement is there before the packet.
//! Other processes of the node, even with the same source address, are not announced and meet the agent.
//!
//! The hook is on the kubelet's own cgroup, or, where the kubelet is known by its process (Linux 6.10), on the root.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::{BPF_SOCK_OPS_TCP_CONNECT_CB, bpf_pidns_info},
    helpers::generated::{
        bpf_get_current_task, bpf_get_ns_current_pid_tgid, bpf_ktime_get_ns, bpf_probe_read_kernel,
    },
    macros::sock_ops,
    programs::SockOpsContext,
};
use aya_log_ebpf::debug;
use weir_ebpf_common::{
    Counter, FlowTuple, ProbePort, ProcessKey, ProcessView, TICK_NS,
    verdict::{self, Probe},
};
use weir_ebpf_programs::count;

use crate::{
    maps::{COUNTERS, KUBELETS, PROBE_PORTS, PROBES, PROCESS_VIEW},
    tuple,
};

#[sock_ops]
pub(crate) fn weir_kubelet(ctx: SockOpsContext) -> u32 {
    if ctx.op() == BPF_SOCK_OPS_TCP_CONNECT_CB {
        connecting(&ctx);
    }
    1
}

#[inline(always)]
fn connecting(ctx: &SockOpsContext) {
    let declared = |pod: &FlowTuple| {
        PROBE_PORTS.get_ptr(ProbePort { addr: pod.local, port: u32::from(pod.local_port) }).is_some()
    };
    match verdict::kubelet(tuple::of(ctx), declared, is_kubelet) {
        Probe::Announce(probe) => announce(ctx, probe),
        Probe::Another => count(&COUNTERS, Counter::ProbeOther),
        Probe::No => {}
    }
}

#[inline(always)]
fn announce(ctx: &SockOpsContext, probe: FlowTuple) {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if PROBES.insert(probe, now, 0).is_ok() {
        count(&COUNTERS, Counter::ProbeAnnounced);
    } else {
        // The agent will treat it as any connection from the node.
        count(&COUNTERS, Counter::ProbeFailed);
    }
    debug!(ctx, target: crate::LOG, "probe of port {} announced", probe.local_port);
}

/// The process that connects is one that the agent has named, or the hook's place says enough.
#[inline(always)]
fn is_kubelet() -> bool {
    let view = PROCESS_VIEW.load();
    if view.namespace_inode == 0 {
        return true;
    }
    current_process(&view).is_some_and(|process| KUBELETS.get_ptr(process).is_some())
}

/// The calling process (not the thread) by its number and its start; nothing for one of another PID namespace.
#[inline(always)]
fn current_process(view: &ProcessView) -> Option<ProcessKey> {
    let mut numbers = bpf_pidns_info { pid: 0, tgid: 0 };
    // SAFETY: writes exactly the structure.
    let found = unsafe {
        bpf_get_ns_current_pid_tgid(
            view.namespace_device,
            view.namespace_inode,
            &raw mut numbers,
            size_of::<bpf_pidns_info>() as u32,
        )
    };
    if found != 0 {
        return None;
    }
    // SAFETY: no arguments.
    let thread = unsafe { bpf_get_current_task() };
    let process = read(thread, view.group_leader);
    let started = read(process, view.start_boottime) / TICK_NS;
    Some(ProcessKey { tgid: numbers.tgid, pad: 0, started })
}

/// A word of a kernel structure; 0 where it cannot be read.
#[inline(always)]
fn read(base: u64, offset: u32) -> u64 {
    let (mut value, from) = (0_u64, base.wrapping_add(u64::from(offset)) as *const c_void);
    // SAFETY: the helper checks the address itself, and writes the 8 bytes of `value`.
    unsafe { bpf_probe_read_kernel((&raw mut value).cast(), 8, from) };
    value
}
