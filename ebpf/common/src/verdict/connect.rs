//! connect4/6: is this connection carried by the agent, and if not, why.

use crate::{Addr, Counter, TCP};

/// What the decision needs. Each method is one map lookup or one field, asked only when it matters.
pub trait ConnectFacts {
    /// The socket's namespace is an enrolled pod.
    fn enrolled(&self) -> bool;
    /// The calling process is in the agent's cgroup.
    fn exempt_cgroup(&self) -> bool;
    /// IP protocol of the socket.
    fn protocol(&self) -> u32;
    /// Where connect() goes.
    fn destination(&self) -> Addr;
    /// The destination is an address of the socket's own namespace.
    fn own(&self) -> bool;
    /// The destination is on the exclude list.
    fn excluded(&self) -> bool;
}

/// Verdict of connect4/6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connect {
    /// Set the mark; if that fails, refuse the connect().
    Capture,
    /// Let it go as it is.
    Exempt(Exempt),
}

/// Why a connection is not captured. The number is `RawEvent::reason`.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exempt {
    /// No enrolled pod.
    NotEnrolled = 1,
    /// The agent's own connection.
    Agent = 2,
    /// Not TCP.
    NotTcp = 3,
    /// To loopback.
    Loopback = 4,
    /// To the unspecified address, which is loopback.
    Unspecified = 5,
    /// To an address of the pod itself.
    Own = 6,
    /// To an excluded network.
    Excluded = 7,
}

/// The order is part of the verdict: the agent's delivery sockets carry the mark on purpose and go to the pod's own
/// address, so its cgroup is asked before the destination.
#[inline(always)]
pub fn connect(facts: &impl ConnectFacts) -> Connect {
    if !facts.enrolled() {
        return Connect::Exempt(Exempt::NotEnrolled);
    }
    if facts.exempt_cgroup() {
        return Connect::Exempt(Exempt::Agent);
    }
    if facts.protocol() != TCP {
        return Connect::Exempt(Exempt::NotTcp);
    }
    let destination = facts.destination();
    if destination.is_loopback() {
        return Connect::Exempt(Exempt::Loopback);
    }
    if destination.is_unspecified() {
        return Connect::Exempt(Exempt::Unspecified);
    }
    if facts.own() {
        return Connect::Exempt(Exempt::Own);
    }
    if facts.excluded() {
        return Connect::Exempt(Exempt::Excluded);
    }
    Connect::Capture
}

impl Exempt {
    /// A mark that an earlier connect() (or the app itself) left on the socket must go: with it the connection would be
    /// routed to a listener that does not want it. The agent's sockets and other protocols keep theirs.
    #[inline(always)]
    pub const fn clears_mark(self) -> bool {
        matches!(self, Self::Loopback | Self::Unspecified | Self::Own | Self::Excluded)
    }

    /// The counter of this reason.
    #[inline(always)]
    pub const fn counter(self) -> Counter {
        match self {
            Self::NotEnrolled => Counter::ExemptNotEnrolled,
            Self::Agent => Counter::ExemptAgent,
            Self::NotTcp => Counter::ExemptNotTcp,
            Self::Loopback => Counter::ExemptLoopback,
            Self::Unspecified => Counter::ExemptUnspecified,
            Self::Own => Counter::ExemptOwn,
            Self::Excluded => Counter::ExemptExcluded,
        }
    }

    /// From `RawEvent::reason`.
    pub const fn from_number(n: u8) -> Option<Self> {
        Some(match n {
            1 => Self::NotEnrolled,
            2 => Self::Agent,
            3 => Self::NotTcp,
            4 => Self::Loopback,
            5 => Self::Unspecified,
            6 => Self::Own,
            7 => Self::Excluded,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use super::*;

    struct Case {
        enrolled: bool,
        agent: bool,
        protocol: u32,
        destination: &'static str,
        own: bool,
        excluded: bool,
    }

    const POD: Case = Case {
        enrolled: true,
        agent: false,
        protocol: TCP,
        destination: "10.9.1.3",
        own: false,
        excluded: false,
    };

    impl ConnectFacts for Case {
        fn enrolled(&self) -> bool {
            self.enrolled
        }
        fn exempt_cgroup(&self) -> bool {
            self.agent
        }
        fn protocol(&self) -> u32 {
            self.protocol
        }
        fn destination(&self) -> Addr {
            Addr::from(self.destination.parse::<IpAddr>().unwrap())
        }
        fn own(&self) -> bool {
            self.own
        }
        fn excluded(&self) -> bool {
            self.excluded
        }
    }

    #[test]
    fn who_is_captured_and_why_not() {
        use Connect::Capture;
        let exempt = Connect::Exempt;
        for (name, case, expected) in [
            ("v4", POD, Capture),
            ("v6", Case { destination: "fd09::3", ..POD }, Capture),
            ("mapped", Case { destination: "::ffff:10.9.1.3", ..POD }, Capture),
            ("link local", Case { destination: "fe80::3", ..POD }, Capture),
            ("not enrolled", Case { enrolled: false, ..POD }, exempt(Exempt::NotEnrolled)),
            ("not enrolled, own", Case { enrolled: false, own: true, ..POD }, exempt(Exempt::NotEnrolled)),
            ("agent", Case { agent: true, ..POD }, exempt(Exempt::Agent)),
            ("agent delivers to own", Case { agent: true, own: true, ..POD }, exempt(Exempt::Agent)),
            ("udp", Case { protocol: 17, ..POD }, exempt(Exempt::NotTcp)),
            ("sctp", Case { protocol: 132, ..POD }, exempt(Exempt::NotTcp)),
            ("loopback", Case { destination: "127.0.0.1", ..POD }, exempt(Exempt::Loopback)),
            ("loopback v6", Case { destination: "::1", ..POD }, exempt(Exempt::Loopback)),
            ("loopback mapped", Case { destination: "::ffff:127.9.9.9", ..POD }, exempt(Exempt::Loopback)),
            ("unspecified", Case { destination: "0.0.0.0", ..POD }, exempt(Exempt::Unspecified)),
            ("unspecified v6", Case { destination: "::", ..POD }, exempt(Exempt::Unspecified)),
            ("own", Case { own: true, ..POD }, exempt(Exempt::Own)),
            ("own before excluded", Case { own: true, excluded: true, ..POD }, exempt(Exempt::Own)),
            ("excluded", Case { excluded: true, ..POD }, exempt(Exempt::Excluded)),
        ] {
            assert_eq!(connect(&case), expected, "{name}");
        }
    }

    #[test]
    fn only_a_destination_clears_the_mark() {
        for n in 0..=u8::MAX {
            let Some(reason) = Exempt::from_number(n) else {
                continue;
            };
            assert_eq!(reason as u8, n);
            assert_eq!(reason.clears_mark(), n >= Exempt::Loopback as u8, "{reason:?}");
        }
    }
}
