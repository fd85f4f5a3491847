//! From a record of the ring to an [`Event`].

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime},
};

use weir_ebpf_common::{Addr, RawEvent, kind, role, verdict};

use super::{Event, EventKind, ExemptReason, Role};

impl Event {
    /// `None` for a record of a kind that this build does not know.
    pub(super) fn decode(raw: &RawEvent, time: SystemTime, lost: u64) -> Option<Self> {
        let role = match raw.role {
            role::CLIENT | role::AGENT => Role::Client,
            role::SERVER => Role::Server,
            _ => Role::Unknown,
        };
        let (local, remote) = (socket(raw.local, raw.local_port), socket(raw.remote, raw.remote_port));
        let (source, destination) = match role {
            Role::Server => (Some(remote), local),
            // Before the SYN the socket has no port.
            _ => (
                (raw.local_port != 0 && raw.kind != kind::CAPTURED && raw.kind != kind::EXEMPT)
                    .then_some(local),
                remote,
            ),
        };
        let (bytes_sent, bytes_received) = bytes(raw, role);
        Some(Self {
            kind: EventKind::decode(raw)?,
            time,
            netns_cookie: raw.netns_cookie,
            cgroup_id: (raw.cgroup_id != 0).then_some(raw.cgroup_id),
            socket_cookie: raw.socket_cookie,
            pid: (raw.pid != 0).then_some(raw.pid),
            comm: text(&raw.comm),
            role,
            source,
            destination,
            rtt: (raw.rtt_us != 0).then(|| Duration::from_micros(raw.rtt_us.into())),
            bytes_sent,
            bytes_received,
            duration: (raw.duration_ns != 0).then(|| Duration::from_nanos(raw.duration_ns)),
            lost,
        })
    }
}

impl EventKind {
    fn decode(raw: &RawEvent) -> Option<Self> {
        Some(match raw.kind {
            kind::CAPTURED => Self::Captured,
            kind::EXEMPT => Self::Exempt(verdict::Exempt::from_number(raw.reason)?.into()),
            kind::REFUSED => Self::Refused,
            kind::CONNECT => Self::Connect,
            kind::ESTABLISHED => Self::Established,
            kind::CLOSED => {
                Self::Closed { established: ![SYN_SENT, SYN_RECV, NEW_SYN_RECV].contains(&raw.reason) }
            }
            kind::OUTSIDE => Self::Outside,
            _ => return None,
        })
    }
}

impl From<verdict::Exempt> for ExemptReason {
    fn from(reason: verdict::Exempt) -> Self {
        match reason {
            verdict::Exempt::NotEnrolled => Self::NotEnrolled,
            verdict::Exempt::Agent => Self::Agent,
            verdict::Exempt::NotTcp => Self::NotTcp,
            verdict::Exempt::Loopback => Self::Loopback,
            verdict::Exempt::Unspecified => Self::Unspecified,
            verdict::Exempt::Own => Self::Own,
            verdict::Exempt::Excluded => Self::Excluded,
        }
    }
}

/// Payload sent and received: without the SYN (which the client's counter has) and without the FINs that the state at
/// the end says were acknowledged or received.
fn bytes(raw: &RawEvent, role: Role) -> (u64, u64) {
    if raw.kind != kind::CLOSED {
        return (0, 0);
    }
    let state = raw.reason;
    let syn = role == Role::Client && state != SYN_SENT;
    let fin_acknowledged = [FIN_WAIT2, TIME_WAIT, LAST_ACK, CLOSING].contains(&state);
    let fin_received = [FIN_WAIT2, TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING].contains(&state);
    let sent = raw.bytes_sent.saturating_sub(u64::from(syn) + u64::from(fin_acknowledged));
    (sent, raw.bytes_received.saturating_sub(u64::from(fin_received)))
}

fn socket(addr: Addr, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::from(addr), port)
}

fn text(comm: &[u8]) -> String {
    let name = comm.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

// Of the kernel's `net/tcp_states.h`.
const SYN_SENT: u8 = 2;
const SYN_RECV: u8 = 3;
const FIN_WAIT2: u8 = 5;
const TIME_WAIT: u8 = 6;
const CLOSE_WAIT: u8 = 8;
const LAST_ACK: u8 = 9;
const CLOSING: u8 = 11;
const NEW_SYN_RECV: u8 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(kind: u8, role: u8, reason: u8) -> RawEvent {
        RawEvent {
            time_ns: 0,
            netns_cookie: 7,
            cgroup_id: 8,
            socket_cookie: 9,
            bytes_sent: 10,
            bytes_received: 20,
            duration_ns: 1_000,
            local: Addr::from("10.0.0.1".parse::<IpAddr>().unwrap()),
            remote: Addr::from("10.0.0.2".parse::<IpAddr>().unwrap()),
            local_port: 40_000,
            remote_port: 80,
            pid: 1,
            rtt_us: 5,
            kind,
            reason,
            role,
            pad: 0,
            comm: *b"curl\0\0\0\0\0\0\0\0\0\0\0\0",
        }
    }

    #[test]
    fn source_is_who_connects() {
        let (a, b): (SocketAddr, SocketAddr) =
            ("10.0.0.1:40000".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
        for (kind, role, source, destination) in [
            (kind::CONNECT, role::CLIENT, Some(a), b),
            (kind::ESTABLISHED, role::SERVER, Some(b), a),
            (kind::CAPTURED, role::CLIENT, None, b),
            (kind::CLOSED, role::UNKNOWN, Some(a), b),
        ] {
            let event = Event::decode(&raw(kind, role, 0), SystemTime::UNIX_EPOCH, 0).unwrap();
            assert_eq!((event.source, event.destination), (source, destination), "kind {kind} role {role}");
            assert_eq!(event.comm, "curl");
        }
    }

    #[test]
    fn syn_and_fin_are_no_payload() {
        for (role, state, expected) in [
            (role::CLIENT, LAST_ACK, (8, 19)),
            (role::CLIENT, CLOSE_WAIT, (9, 19)),
            (role::CLIENT, FIN_WAIT2, (8, 19)),
            (role::CLIENT, 1, (9, 20)),
            (role::CLIENT, SYN_SENT, (10, 20)),
            (role::SERVER, LAST_ACK, (9, 19)),
            (role::SERVER, 1, (10, 20)),
        ] {
            let event = Event::decode(&raw(kind::CLOSED, role, state), SystemTime::UNIX_EPOCH, 0).unwrap();
            assert_eq!((event.bytes_sent, event.bytes_received), expected, "role {role} state {state}");
        }
    }

    #[test]
    fn kinds_and_reasons() {
        for (kind, reason, expected) in [
            (kind::EXEMPT, 6, Some(EventKind::Exempt(ExemptReason::Own))),
            (kind::EXEMPT, 99, None),
            (kind::CLOSED, 2, Some(EventKind::Closed { established: false })),
            (kind::CLOSED, 1, Some(EventKind::Closed { established: true })),
            (99, 0, None),
        ] {
            let event = Event::decode(&raw(kind, role::CLIENT, reason), SystemTime::UNIX_EPOCH, 0);
            assert_eq!(event.map(|event| event.kind), expected, "{kind} {reason}");
        }
    }
}
