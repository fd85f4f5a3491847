//! sock_ops around the kubelet at TCP_CONNECT: is this connection a declared probe, and the kubelet's.

use crate::{FlowTuple, PROBE_LIFETIME_NS};

/// Verdict of the kubelet's hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Announce this tuple to the pod's sk_lookup.
    Announce(FlowTuple),
    /// To a declared port, and not the kubelet's.
    Another,
    /// No port of a probe.
    No,
}

/// What becomes of a connection from `here` to `there`. `declared` says whether the port is a probe's: some kubelets are one
/// process with much else, so it alone is no proof. `is_kubelet` says who calls; where the hook is on a cgroup of the kubelet's
/// own, everybody who is seen is it.
#[inline(always)]
pub fn kubelet(
    seen_from_node: FlowTuple,
    declared: impl FnOnce(&FlowTuple) -> bool,
    is_kubelet: impl FnOnce() -> bool,
) -> Probe {
    let seen_from_pod = FlowTuple {
        local: seen_from_node.remote,
        remote: seen_from_node.local,
        local_port: seen_from_node.remote_port,
        remote_port: seen_from_node.local_port,
    };
    if !declared(&seen_from_pod) {
        return Probe::No;
    }
    if is_kubelet() { Probe::Announce(seen_from_pod) } else { Probe::Another }
}

/// An announcement is good for one handshake, not for the next owner of the same source port.
#[inline(always)]
pub(crate) const fn fresh(announced_ns: u64, now_ns: u64) -> bool {
    now_ns.wrapping_sub(announced_ns) < PROBE_LIFETIME_NS
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use super::*;
    use crate::Addr;

    #[test]
    fn a_declared_port_is_announced_the_other_way_round_for_the_kubelet_alone() {
        let ip = |s: &str| Addr::from(s.parse::<IpAddr>().unwrap());
        let probe = FlowTuple {
            local: ip("10.9.1.1"),
            remote: ip("10.9.1.2"),
            local_port: 40_000,
            remote_port: 8080,
        };
        let expected = FlowTuple {
            local: ip("10.9.1.2"),
            remote: ip("10.9.1.1"),
            local_port: 8080,
            remote_port: 40_000,
        };
        for (port, is_kubelet, verdict) in [
            (8080, true, Probe::Announce(expected)),
            (8080, false, Probe::Another),
            (8081, true, Probe::No),
            (8081, false, Probe::No),
        ] {
            assert_eq!(
                kubelet(probe, |t| t.local_port == port, || is_kubelet),
                verdict,
                "{port} {is_kubelet}"
            );
        }
    }

    #[test]
    fn an_announcement_ends() {
        for (announced, now, expected) in [
            (0, 0, true),
            (5, PROBE_LIFETIME_NS + 4, true),
            (5, PROBE_LIFETIME_NS + 5, false),
            // Another CPU's clock read: ahead of ours counts as stale, the agent then decides.
            (6, 5, false),
        ] {
            assert_eq!(fresh(announced, now), expected, "{announced} {now}");
        }
    }
}
