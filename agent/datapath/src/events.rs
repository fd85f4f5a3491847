//! Live connection events of the node's pods: what the kernel saw, as it happens.
//!
//! The programs fill a ring buffer only while somebody reads. The first [`EventStream`] starts a thread that drains the
//! ring and hands every event to all streams; the last one to go stops it. Events that found no room are counted, never
//! waited for: neither a slow reader nor a full ring slows a connection down.

mod decode;
mod hub;

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use tokio::sync::mpsc;

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
