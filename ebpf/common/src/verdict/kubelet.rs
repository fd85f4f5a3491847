//! sock_ops of the kubelet's cgroup at TCP_CONNECT: is this connection a declared probe.

use crate::{FlowTuple, PROBE_LIFETIME_NS};

/// The tuple to announce to the pod's sk_lookup when the kubelet connects from `here` to `there`, or nothing when
/// `declared` says that the port is no probe port: the kubelet shares its cgroup with other processes on some
/// distributions, so the cgroup alone is no proof.
#[inline(always)]
pub fn kubelet(seen_from_node: FlowTuple, declared: impl FnOnce(&FlowTuple) -> bool) -> Option<FlowTuple> {
    let seen_from_pod = FlowTuple {
        local: seen_from_node.remote,
        remote: seen_from_node.local,
        local_port: seen_from_node.remote_port,
        remote_port: seen_from_node.local_port,
    };
    if declared(&seen_from_pod) { Some(seen_from_pod) } else { None }
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
    fn a_declared_port_is_announced_the_other_way_round() {
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
        assert_eq!(kubelet(probe, |t| t.local_port == 8080), Some(expected));
        assert_eq!(kubelet(probe, |t| t.local_port == 8081), None);
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
