//! The app of the self-test: a forked child in a cgroup of its own below the pods' cgroup.
//!
//! Between fork and exit a child of a process with threads may only make system calls (no allocation, no locks), so this is written with
//! libc alone, and everything it needs is prepared before the fork.

use std::cell::Cell;
use std::ffi::CString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use socket2::SockAddr;

use crate::scratch::Scratch;

/// Where the app listens.
pub(super) const APP_PORT: u16 = 8080;
/// Where nobody does.
pub(super) const CLOSED_PORT: u16 = 8081;
/// Where the app connects to on the remote side. Nobody listens there: the agent must get it.
pub(super) const REMOTE_PORT: u16 = 80;

/// The running child.
#[derive(Debug)]
pub(super) struct App {
    pid: libc::pid_t,
    cgroup: PathBuf,
}

/// What the child needs, made before the fork.
struct Plan {
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

impl App {
    /// Starts the child: it joins its cgroup, connects to the remote once per family, and then takes one connection per family, which
    /// must show the remote's address and be bound to lo.
    pub(super) fn start(pods_cgroup: &Path, scratch: &Scratch) -> io::Result<Self> {
        let cgroup = pods_cgroup.join(format!("weir-self-test-{}", std::process::id()));
        make_cgroup(&cgroup)?;
        let plan = Plan::new(&cgroup, scratch);
        // SAFETY: the child makes system calls on prepared values only and leaves by _exit; see `play`.
        let pid = plan.and_then(|plan| match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                let code = play(&plan);
                // SAFETY: ends the child without running anything of the parent's.
                unsafe { libc::_exit(code) }
            }
            pid => Ok(pid),
        });
        match pid {
            Ok(pid) => Ok(Self { pid, cgroup }),
            Err(error) => {
                let _ = std::fs::remove_dir(&cgroup);
                Err(error)
            }
        }
    }

    /// Waits for the child; an error names the step at which it gave up.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let status = self.wait();
        let step = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -1 };
        match STEPS.iter().find(|(code, _)| *code == step) {
            None if step == 0 => Ok(()),
            Some((_, text)) => Err(io::Error::other(*text)),
            None => Err(io::Error::other(format!("the app ended with status {status}"))),
        }
    }

    fn wait(&mut self) -> libc::c_int {
        let mut status = 0;
        if self.pid > 0 {
            // SAFETY: waits for our own child; `status` lives through the call.
            unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
            self.pid = 0;
        }
        status
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if self.pid > 0 {
            // SAFETY: signals our own child, which has not been waited for, so the pid is still its.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
            self.wait();
        }
        // A cgroup is busy until the last of its dead process is gone, which is not yet when wait returns.
        for _ in 0..100 {
            match std::fs::remove_dir(&self.cgroup) {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                    std::thread::sleep(std::time::Duration::from_millis(1))
                }
                _ => return,
            }
        }
    }
}

impl Plan {
    fn new(cgroup: &Path, scratch: &Scratch) -> io::Result<Self> {
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
fn play(plan: &Plan) -> libc::c_int {
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
    let patience = libc::timeval { tv_sec: 1, tv_usec: 0 };
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

/// A leftover of a killed agent with our pid is taken over. Below a threaded cgroup the new one must be threaded too.
fn make_cgroup(cgroup: &Path) -> io::Result<()> {
    match std::fs::create_dir(cgroup) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let kind = cgroup.join("cgroup.type");
    if std::fs::read_to_string(&kind)?.trim() == "domain invalid" {
        std::fs::write(&kind, "threaded")?;
    }
    Ok(())
}

const JOIN: libc::c_int = 1;
const LISTEN: libc::c_int = 2;
const CONNECT: libc::c_int = 3;
const ACCEPT: libc::c_int = 4;
const PEER: libc::c_int = 5;
const DEVICE: libc::c_int = 6;
const SEND: libc::c_int = 7;

const STEPS: [(libc::c_int, &str); 7] = [
    (JOIN, "the app could not join its cgroup and namespace"),
    (LISTEN, "the app could not listen"),
    (CONNECT, "the app could not connect"),
    (ACCEPT, "no connection came to the app"),
    (PEER, "the app saw another peer than the client"),
    (DEVICE, "the app's accepted socket was not bound to lo"),
    (SEND, "the app could not send"),
];
