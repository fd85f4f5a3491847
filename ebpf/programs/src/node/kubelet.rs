//! sock_ops on the kubelet's cgroup: announce declared probes to the pod's sk_lookup. Linux 4.13.
//!
//! At TCP_CONNECT the source port is chosen and the SYN has not left, so the announcement is there before the packet.
//! Other processes of the node, even with the same source address, are not announced and meet the agent.

use aya_ebpf::{
    bindings::BPF_SOCK_OPS_TCP_CONNECT_CB, helpers::generated::bpf_ktime_get_ns, macros::sock_ops,
    programs::SockOpsContext,
};
use aya_log_ebpf::debug;
use weir_ebpf_common::{Counter, ProbePort, verdict};
use weir_ebpf_programs::count;

use crate::{
    maps::{COUNTERS, PROBE_PORTS, PROBES},
    tuple,
};

#[sock_ops]
pub(crate) fn weir_kubelet(ctx: SockOpsContext) -> u32 {
    if ctx.op() == BPF_SOCK_OPS_TCP_CONNECT_CB {
        announce(&ctx);
    }
    1
}

#[inline(always)]
fn announce(ctx: &SockOpsContext) {
    let Some(probe) = verdict::kubelet(tuple::of(ctx), |pod| {
        PROBE_PORTS.get_ptr(ProbePort { addr: pod.local, port: u32::from(pod.local_port) }).is_some()
    }) else {
        return;
    };
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
