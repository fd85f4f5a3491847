//! sk_lookup in the pod's namespace: give each SYN to the agent's listener of its kind and worker, or to nobody.
//! Linux 5.17 (ingress_ifindex).
//!
//! No log lines here: aya-log would give every pod a ring buffer of 128 KiB.

use aya_ebpf::{
    bindings::bpf_sk_lookup, helpers::generated::bpf_ktime_get_ns, macros::sk_lookup,
    programs::SkLookupContext,
};
use weir_ebpf_common::{
    Addr, Counter, FlowTuple, PodConfig,
    verdict::{self, Lookup, LookupFacts},
};
use weir_ebpf_programs::{address, count, field};

use crate::maps::{CONFIG, COUNTERS, INTERFACES, LISTENERS, OWN, PROBES};

const SK_DROP: u32 = 0;
const SK_PASS: u32 = 1;
const AF_INET: u32 = 2;

#[sk_lookup]
pub(crate) fn weir_lookup(ctx: SkLookupContext) -> u32 {
    let packet = Packet::new(ctx.lookup);
    let verdict = verdict::lookup(&packet);
    match verdict {
        Lookup::Pass(_) => {
            count(&COUNTERS, verdict.counter());
            SK_PASS
        }
        Lookup::Drop(_) => {
            count(&COUNTERS, verdict.counter());
            SK_DROP
        }
        Lookup::Assign(slot, _) => {
            if LISTENERS.assign(&ctx, slot) {
                count(&COUNTERS, verdict.counter());
                SK_PASS
            } else {
                count(&COUNTERS, Counter::DropNoListener);
                SK_DROP
            }
        }
    }
}

/// The packet, all of it read before the first branch.
struct Packet {
    protocol: u32,
    ifindex: u32,
    tuple: FlowTuple,
}

impl Packet {
    #[inline(always)]
    fn new(ctx: *mut bpf_sk_lookup) -> Self {
        let family = field!(ctx, family);
        let protocol = field!(ctx, protocol);
        let remote4 = Addr::v4(field!(ctx, remote_ip4));
        let local4 = Addr::v4(field!(ctx, local_ip4));
        let remote6 = address!(ctx, remote_ip6);
        let local6 = address!(ctx, local_ip6);
        let remote_port = field!(ctx, remote_port);
        let local_port = field!(ctx, local_port);
        let ifindex = field!(ctx, ingress_ifindex);
        let (local, remote) = if family == AF_INET { (local4, remote4) } else { (local6, remote6) };
        let tuple = FlowTuple {
            local,
            remote,
            local_port: local_port as u16,
            remote_port: u16::from_be(remote_port),
        };
        Self { protocol, ifindex, tuple }
    }
}

impl LookupFacts for Packet {
    #[inline(always)]
    fn protocol(&self) -> u32 {
        self.protocol
    }
    #[inline(always)]
    fn tuple(&self) -> FlowTuple {
        self.tuple
    }
    #[inline(always)]
    fn ifindex(&self) -> u32 {
        self.ifindex
    }
    #[inline(always)]
    fn own(&self, addr: &Addr) -> bool {
        OWN.get_ptr(addr).is_some()
    }
    #[inline(always)]
    fn announced(&self, tuple: &FlowTuple) -> Option<u64> {
        // SAFETY: a u64 of an LRU map: at worst it is another announcement's time.
        PROBES.get_ptr(tuple).map(|at| unsafe { core::ptr::read_volatile(at) })
    }
    #[inline(always)]
    fn now(&self) -> u64 {
        // SAFETY: no arguments.
        unsafe { bpf_ktime_get_ns() }
    }
    #[inline(always)]
    fn base(&self, ifindex: u32) -> Option<u32> {
        // SAFETY: a u32, read whole.
        INTERFACES.get_ptr(ifindex).map(|base| unsafe { core::ptr::read_volatile(base) })
    }
    #[inline(always)]
    fn config(&self) -> PodConfig {
        match CONFIG.get_ptr(0) {
            // SAFETY: array element 0 of size 1; user space replaces it, hence volatile.
            Some(config) => unsafe { core::ptr::read_volatile(config) },
            None => PodConfig { workers: 1, seed: 0 },
        }
    }
}
