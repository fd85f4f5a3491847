//! The numbers that are visible in a pod's network namespace, all in one place so that one look explains `ip rule` and `ip route`.

pub(crate) use weir_ebpf_common::MARK;

/// Routing table that makes marked traffic local; outside the ranges that CNI plugins and systemd use.
pub(crate) const TABLE: u32 = 22341;
/// Rule: marked traffic looks into [`TABLE`].
pub(crate) const PREF_CAPTURE: u32 = 100;
/// Rule: marked traffic that got past the first one is dropped.
pub(crate) const PREF_GUARD: u32 = 101;
/// `protocol` of our rules and routes, so that `ip rule show proto 0x57` finds them.
pub(crate) const PROTOCOL: u8 = 0x57;

/// The loopback device has index 1 in every namespace (LOOPBACK_IFINDEX in the kernel's net/flow.h).
pub(crate) const LOOPBACK_INDEX: u32 = 1;

/// Metric of the route over lo. It must be the best one of both families: the delivery socket is bound to lo and does not see a SYN-ACK
/// that went through another device. (IPv6 would give a route without a metric 1024.)
pub(crate) const METRIC_LOOPBACK: u32 = 100;
/// Metric of the route over captured interface `n` is this plus `n`.
pub(crate) const METRIC_INTERFACE: u32 = 200;
/// Metric of the route that says "no address of this family".
pub(crate) const METRIC_UNREACHABLE: u32 = 4096;

/// Lowest listener port: one above the default ephemeral range, because a pod cannot bind a wildcard address to a port that we hold.
pub(crate) const PORT_FIRST: u16 = 61000;
/// Highest listener port.
pub(crate) const PORT_LAST: u16 = 65535;
/// Accept queue of a listener; `net.core.somaxconn` is raised to it.
pub(crate) const BACKLOG: i32 = 4096;
