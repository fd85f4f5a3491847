//! sk_lookup: which socket gets a SYN that arrives in the pod's namespace. It fails closed.

use super::kubelet::fresh;
use crate::{Addr, Counter, FlowTuple, HBONE_PORT, PodConfig, TCP, hash, slots};

/// ifindex of lo in every network namespace.
const LOOPBACK: u32 = 1;

/// What the decision needs; the methods are map lookups, asked only when they matter.
pub trait LookupFacts {
    /// IP protocol.
    fn protocol(&self) -> u32;
    /// The packet's addresses and ports.
    fn tuple(&self) -> FlowTuple;
    /// Interface that it came in by.
    fn ifindex(&self) -> u32;
    /// This address belongs to the pod.
    fn own(&self, addr: &Addr) -> bool;
    /// When a kubelet announced this connection, in nanoseconds of CLOCK_MONOTONIC.
    fn announced(&self, tuple: &FlowTuple) -> Option<u64>;
    /// CLOCK_MONOTONIC, nanoseconds.
    fn now(&self) -> u64;
    /// First slot of the listeners of an interface.
    fn base(&self, ifindex: u32) -> Option<u32>;
    /// Number of workers and seed of the hash.
    fn config(&self) -> PodConfig;
}

/// Verdict of sk_lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// The kernel looks for the app's socket.
    Pass(Pass),
    /// No socket; the kernel answers with RST, or with silence where an RST has no way.
    Drop(Drop),
    /// Give it to the listener in this slot; if that is not possible, drop.
    Assign(u32, Target),
}

/// Why a packet passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Not TCP.
    NotTcp,
    /// To 127/8 or ::1.
    Loopback,
    /// Over lo, or from the pod itself: the agent's delivery, or the pod talking to itself.
    Inside,
    /// A declared probe of the kubelet.
    Probe,
}

/// Why a packet is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drop {
    /// Neither end is the pod's. The address may be new and not announced yet; taken as outbound it would be carried
    /// under the pod's identity, in a circle.
    Foreign,
    /// No listeners on this interface.
    Interface,
}

/// Kind of listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Connections that the pod opens.
    Outbound,
    /// Connections from outside.
    Plaintext,
    /// Tunnels from outside.
    Hbone,
}

/// See the module's page; the order of the questions is the design (`integration.md` section 2).
#[inline(always)]
pub fn lookup(facts: &impl LookupFacts) -> Lookup {
    if facts.protocol() != TCP {
        return Lookup::Pass(Pass::NotTcp);
    }
    let tuple = facts.tuple();
    if tuple.local.is_loopback() {
        return Lookup::Pass(Pass::Loopback);
    }
    let from_inside = tuple.remote.is_loopback() || facts.own(&tuple.remote);
    if !facts.own(&tuple.local) {
        if !from_inside {
            return Lookup::Drop(Drop::Foreign);
        }
        return Lookup::Assign(slots::outbound(worker(facts, &tuple)), Target::Outbound);
    }
    let ifindex = facts.ifindex();
    if ifindex == LOOPBACK || from_inside {
        return Lookup::Pass(Pass::Inside);
    }
    if let Some(announced) = facts.announced(&tuple)
        && fresh(announced, facts.now())
    {
        return Lookup::Pass(Pass::Probe);
    }
    let Some(base) = facts.base(ifindex) else {
        return Lookup::Drop(Drop::Interface);
    };
    let worker = worker(facts, &tuple);
    if tuple.local_port == HBONE_PORT {
        Lookup::Assign(slots::hbone(base, worker), Target::Hbone)
    } else {
        Lookup::Assign(slots::plaintext(base, worker), Target::Plaintext)
    }
}

#[inline(always)]
fn worker(facts: &impl LookupFacts, tuple: &FlowTuple) -> u32 {
    let config = facts.config();
    slots::worker(hash(tuple, config.seed), config.workers)
}

impl Lookup {
    /// The counter of this verdict; an `Assign` that the kernel then refuses is `DropNoListener` instead.
    #[inline(always)]
    pub const fn counter(self) -> Counter {
        match self {
            Self::Pass(Pass::Probe) => Counter::LookupProbe,
            Self::Pass(_) => Counter::LookupPassed,
            Self::Drop(Drop::Foreign) => Counter::DropForeign,
            Self::Drop(Drop::Interface) => Counter::DropInterface,
            Self::Assign(_, Target::Outbound) => Counter::LookupOutbound,
            Self::Assign(_, Target::Plaintext) => Counter::LookupPlaintext,
            Self::Assign(_, Target::Hbone) => Counter::LookupHbone,
        }
    }
}

#[cfg(test)]
mod tests;
