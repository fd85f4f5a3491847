//! Connection events as they lie in the ring buffer.

use crate::Addr;

/// One record of EVENTS. Fields that a kind does not know are 0.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawEvent {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub time_ns: u64,
    /// Namespace of the socket.
    pub netns_cookie: u64,
    /// cgroup of the process that called connect(); 0 where no process is known (accepted sockets).
    pub cgroup_id: u64,
    /// SO_COOKIE: joins the events of one socket.
    pub socket_cookie: u64,
    /// Acknowledged by the peer; at `kind::CLOSED`.
    pub bytes_sent: u64,
    /// Received in order; at `kind::CLOSED`.
    pub bytes_received: u64,
    /// Since connect() or accept; at `kind::CLOSED`, 0 when the start was not seen.
    pub duration_ns: u64,
    /// Socket's own address; unspecified before the SYN is made.
    pub local: Addr,
    /// Peer's address.
    pub remote: Addr,
    /// Host byte order.
    pub local_port: u16,
    /// Host byte order.
    pub remote_port: u16,
    /// Thread group of the process that called connect(), 0 if unknown.
    pub pid: u32,
    /// Smoothed round trip time in microseconds; at `kind::ESTABLISHED` and `kind::CLOSED`.
    pub rtt_us: u32,
    /// One of `kind`.
    pub kind: u8,
    /// With `kind::EXEMPT` a `verdict::Exempt` as number; with `kind::CLOSED` the TCP state before (2, SYN_SENT: the
    /// connection never came up).
    pub reason: u8,
    /// One of `role`.
    pub role: u8,
    /// Zero.
    pub pad: u8,
    /// Name of the process, NUL padded.
    pub comm: [u8; 16],
}

const _: () = assert!(size_of::<RawEvent>() == 120 && align_of::<RawEvent>() == 8);

/// Kept with a socket (SK_STORAGE) from connect() on, while events are switched on.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowStart {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub time_ns: u64,
    /// See `RawEvent::cgroup_id`.
    pub cgroup_id: u64,
    /// See `RawEvent::pid`.
    pub pid: u32,
    /// One of `role`.
    pub role: u32,
    /// See `RawEvent::comm`.
    pub comm: [u8; 16],
}

const _: () = assert!(size_of::<FlowStart>() == 40 && align_of::<FlowStart>() == 8);

/// Values of `RawEvent::kind`.
pub mod kind {
    /// connect() was marked for capture.
    pub const CAPTURED: u8 = 1;
    /// connect() was left alone, see `RawEvent::reason`.
    pub const EXEMPT: u8 = 2;
    /// connect() was answered with EPERM.
    pub const REFUSED: u8 = 3;
    /// The SYN leaves: source address and port are known now.
    pub const CONNECT: u8 = 4;
    /// The handshake is done.
    pub const ESTABLISHED: u8 = 5;
    /// The socket is closed.
    pub const CLOSED: u8 = 6;
    /// A process outside of the pods' cgroup connects from inside the pod's namespace (nsenter, port-forward): no hook
    /// saw it, nothing captures it.
    pub const OUTSIDE: u8 = 7;
}

/// Values of `RawEvent::role`: which end of the connection the socket is.
pub mod role {
    /// Not known (the socket is older than the trace).
    pub const UNKNOWN: u8 = 0;
    /// It called connect().
    pub const CLIENT: u8 = 1;
    /// It was accepted.
    pub const SERVER: u8 = 2;
    /// It is the agent's: not reported.
    pub const AGENT: u8 = 3;
}

/// Bits of the single value of CONTROL.
pub mod control {
    /// Somebody reads EVENTS: fill it.
    pub const EVENTS: u32 = 1;
    /// The tracepoint reports closed sockets: sock_ops need not.
    pub const TRACEPOINT: u32 = 2;
}
