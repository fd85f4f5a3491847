//! The child: between fork and exit it makes system calls only. Everything it needs is prepared before the fork.

use std::cell::Cell;
use std::ffi::CString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use socket2::SockAddr;

use super::{APP_PORT, REMOTE_PORT};
use crate::scratch::Scratch;

/// What the child needs, made before the fork.
pub(super) struct Plan {
    procs: CString,
    netns: RawFd,
    /// Per family: where to connect to, where to listen, and which client to expect.
    parts: Vec<Part>,
}

struct Part {
    destination: SockAddr,
    listen: SockAddr,
    client: IpAddr,
    /// Filled by the child.
    listener: Cell<RawFd>,
}

impl Plan {
    pub(super) fn new(cgroup: &Path, scratch: &Scratch) -> io::Result<Self> {
        let procs = CString::new(cgroup.join("cgroup.procs").as_os_str().as_bytes())?;
        let part = |(pod, remote)| Part {
            destination: SocketAddr::new(remote, REMOTE_PORT).into(),
            listen: SocketAddr::new(pod, APP_PORT).into(),
            client: remote,
            listener: Cell::new(-1),
        };
        let parts = scratch.pairs().into_iter().map(part).collect();
        Ok(Self { procs, netns: scratch.pod.as_fd().as_raw_fd(), parts })
    }
}

/// The child's life; returns its exit status. System calls only.
pub(super) fn play(plan: &Plan) -> libc::c_int {
    // SAFETY: all pointers are into `plan` or locals of this function, which live through each call; descriptors are the child's copies.
    unsafe {
        let procs = libc::open(plan.procs.as_ptr(), libc::O_WRONLY);
        if procs < 0
            || libc::write(procs, c"0".as_ptr().cast(), 1) != 1
            || libc::setns(plan.netns, libc::CLONE_NEWNET) != 0
        {
            return JOIN;
        }
        // Listeners are made here and not in the parent: a connection runs the hooks of the cgroup in which its listener was made.
        for part in &plan.parts {
            let listener =
                libc::socket(i32::from(part.listen.family()), libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
            limit(listener);
            if libc::bind(listener, part.listen.as_ptr().cast(), part.listen.len()) != 0
                || libc::listen(listener, 16) != 0
            {
                return LISTEN;
            }
            part.listener.set(listener);
        }
        for part in &plan.parts {
            let socket =
                libc::socket(i32::from(part.destination.family()), libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
            limit(socket);
            if libc::connect(socket, part.destination.as_ptr().cast(), part.destination.len()) != 0 {
                return CONNECT;
            }
        }
        for part in &plan.parts {
            let code = serve(part.listener.get(), part.client);
            if code != 0 {
                return code;
            }
        }
    }
    0
}

/// Takes one connection, looks at its peer and its device, and sends a byte.
///
/// # Safety
/// `listener` is a listening socket.
unsafe fn serve(listener: RawFd, client: IpAddr) -> libc::c_int {
    // SAFETY: zero bytes are a valid sockaddr_storage.
    let mut peer: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: `peer` has the size that `length` says.
    let socket = unsafe { libc::accept(listener, (&raw mut peer).cast(), &raw mut length) };
    if socket < 0 {
        return ACCEPT;
    }
    let right = match client {
        // SAFETY: sockaddr_storage is large enough and aligned for every address family; the family is checked.
        IpAddr::V4(ip) => unsafe {
            let peer = &*(&raw const peer).cast::<libc::sockaddr_in>();
            i32::from(peer.sin_family) == libc::AF_INET && peer.sin_addr.s_addr.to_ne_bytes() == ip.octets()
        },
        // SAFETY: as above.
        IpAddr::V6(ip) => unsafe {
            let peer = &*(&raw const peer).cast::<libc::sockaddr_in6>();
            i32::from(peer.sin6_family) == libc::AF_INET6 && peer.sin6_addr.s6_addr == ip.octets()
        },
    };
    if !right {
        return PEER;
    }
    let mut device = [0_u8; libc::IFNAMSIZ];
    let mut length = device.len() as libc::socklen_t;
    // SAFETY: `device` has the size that `length` says.
    let status = unsafe {
        libc::getsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            device.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if status != 0 || !device.starts_with(b"lo\0") {
        return DEVICE;
    }
    // SAFETY: one byte from a static string.
    if unsafe { libc::send(socket, c"x".as_ptr().cast(), 1, libc::MSG_NOSIGNAL) } != 1 {
        return SEND;
    }
    0
}

/// Bounds `connect` and `accept` on a socket.
///
/// # Safety
/// `socket` is a descriptor of this process, or negative (then nothing happens).
unsafe fn limit(socket: RawFd) {
    // Longer than the agent waits for anything: a busy node must not make the app give up first, and a child that is left is killed.
    let patience = libc::timeval { tv_sec: 5, tv_usec: 0 };
    for option in [libc::SO_SNDTIMEO, libc::SO_RCVTIMEO] {
        // SAFETY: the option reads one timeval, whose size is given.
        unsafe {
            libc::setsockopt(
                socket,
                libc::SOL_SOCKET,
                option,
                (&raw const patience).cast(),
                size_of::<libc::timeval>() as libc::socklen_t,
            )
        };
    }
}

const JOIN: libc::c_int = 1;
const LISTEN: libc::c_int = 2;
const CONNECT: libc::c_int = 3;
const ACCEPT: libc::c_int = 4;
const PEER: libc::c_int = 5;
const DEVICE: libc::c_int = 6;
const SEND: libc::c_int = 7;

/// Exit statuses, and what they mean.
pub(super) const STEPS: [(libc::c_int, &str); 7] = [
    (JOIN, "the app could not join its cgroup and namespace"),
    (LISTEN, "the app could not listen"),
    (CONNECT, "the app could not connect"),
    (ACCEPT, "no connection came to the app"),
    (PEER, "the app saw another peer than the client"),
    (DEVICE, "the app's accepted socket was not bound to lo"),
    (SEND, "the app could not send"),
];
