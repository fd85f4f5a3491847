//! Live connection events of the node's pods: what the kernel saw, as it happens.
//!
//! The programs fill a ring buffer only while somebody reads. The first [`EventStream`] starts a thread that drains the
//! ring and hands every event to all streams; the last one to go stops it. Events that found no room are counted, never
//! waited for: neither a slow reader nor a full ring slows a connection down.

mod hub;

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime},
};

use tokio::sync::mpsc;
use weir_ebpf_common::{Addr, RawEvent, kind, role, verdict};

pub(crate) use hub::{Hub, MAPS};

/// What the kernel reports about one connection of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub time: SystemTime,
    /// Network namespace (SO_NETNS_COOKIE): names the pod.
    pub netns_cookie: u64,
    /// cgroup of the process that called connect(); `None` for accepted sockets, which no process opened.
    pub cgroup_id: Option<u64>,
    /// SO_COOKIE: joins the events of one socket.
    pub socket_cookie: u64,
    /// Process that called connect().
    pub pid: Option<u32>,
    /// Its name, at most 15 bytes; empty if unknown.
    pub comm: String,
    /// Which end the pod's socket is.
    pub role: Role,
    /// Who connects; unknown until the SYN is made ([`EventKind::Connect`]).
    pub source: Option<SocketAddr>,
    /// To whom, as the app asked for it.
    pub destination: SocketAddr,
    /// Smoothed round trip time at [`EventKind::Established`] and [`EventKind::Closed`]. A captured connection ends at
    /// the node's agent: its time is the one to there.
    pub rtt: Option<Duration>,
    /// Bytes that the peer acknowledged; at [`EventKind::Closed`]. One too many or too few where the kernel does not
    /// tell whether SYN and FIN, which it counts as a byte each, are among them (role unknown, end by RST).
    pub bytes_sent: u64,
    /// Bytes received; at [`EventKind::Closed`], as exact as `bytes_sent`.
    pub bytes_received: u64,
    /// Since connect() or accept; at [`EventKind::Closed`], `None` when the connection is older than the stream.
    pub duration: Option<Duration>,
    /// Events that this stream has lost so far, in the kernel's ring or in its own queue.
    pub lost: u64,
}

/// What happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// connect() was marked: the agent will carry it.
    Captured,
    /// connect() was left alone.
    Exempt(ExemptReason),
    /// connect() was refused (EPERM), because it could not be marked.
    Refused,
    /// The SYN leaves.
    Connect,
    /// The handshake is done.
    Established,
    /// The socket is closed.
    Closed {
        /// `false`: the handshake never ended (refused, timed out).
        established: bool,
    },
    /// A process outside of the pods' cgroup connects from inside the pod's namespace (nsenter, port-forward): nothing
    /// captures it.
    Outside,
}

/// Why a connection is not captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExemptReason {
    /// The pod is not enrolled.
    NotEnrolled,
    /// The agent made it.
    Agent,
    /// Not TCP.
    NotTcp,
    /// To loopback.
    Loopback,
    /// To the unspecified address, which is loopback.
    Unspecified,
    /// To an address of the pod itself.
    Own,
    /// To an excluded network.
    Excluded,
}

/// Which end of the connection the pod's socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It called connect().
    Client,
    /// It was accepted.
    Server,
    /// The connection is older than the stream.
    Unknown,
}

/// A subscription to the node's connection events; ends with the data path.
#[derive(Debug)]
pub struct EventStream {
    receiver: mpsc::Receiver<Event>,
    _subscription: hub::Subscription,
}

impl EventStream {
    /// The next event; `None` when the data path is gone.
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }

    /// As [`Self::next`], blocking the thread.
    pub fn blocking_next(&mut self) -> Option<Event> {
        self.receiver.blocking_recv()
    }
}

impl Event {
    /// `None` for a record of a kind that this build does not know.
    fn decode(raw: &RawEvent, time: SystemTime, lost: u64) -> Option<Self> {
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

impl ExemptReason {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotEnrolled => "pod not enrolled",
            Self::Agent => "made by the agent",
            Self::NotTcp => "not TCP",
            Self::Loopback => "to loopback",
            Self::Unspecified => "to the unspecified address",
            Self::Own => "to the pod itself",
            Self::Excluded => "destination excluded",
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
