//! Sockets that the workers make inside a pod's namespace: to the outside, and to the app.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::layout::{LOOPBACK_INDEX, MARK};
use crate::netns::Netns;

/// Makes sockets in one pod's namespace, on any thread that lives in the agent's own namespace.
///
/// All sockets are non-blocking and not connected yet; the caller connects. Each costs two `setns` and takes some microseconds.
#[derive(Debug)]
pub struct PodSockets {
    /// `None` once the pod is released: a task that still holds this value must not keep the namespace alive.
    netns: ArcSwapOption<Netns>,
    home: Arc<Netns>,
    own: ArcSwap<BTreeSet<IpAddr>>,
}

impl PodSockets {
    pub(crate) fn new(netns: Arc<Netns>, home: Arc<Netns>) -> Self {
        Self { netns: ArcSwapOption::new(Some(netns)), home, own: ArcSwap::default() }
    }

    /// A socket for a connection from the pod to `remote`, with an address of the pod as its source. It carries no mark: the agent's
    /// sockets are exempt by cgroup.
    ///
    /// Fails for an address of the pod itself (the connection would be captured again and again, or would reach what only the pod may
    /// reach) and for addresses that are nobody's.
    pub fn dial(&self, remote: SocketAddr) -> io::Result<Socket> {
        let ip = remote.ip().to_canonical();
        if self.owns(ip) || !is_unicast(ip) {
            return Err(refuse(format!(
                "{remote} is an address of the pod itself or not a host's: the agent does not connect there"
            )));
        }
        self.make(Family::of(ip), |_| Ok(()))
    }

    /// A socket for a connection to the app at `app` (an own address of the pod) that shows `client` as its peer.
    ///
    /// * `client` is the pod itself: a plain socket, bound to `client` if that is not the address called.
    /// * else a transparent one bound to `client`, marked, on lo; the port is chosen by `connect`. A connect that takes 1 s has met a
    ///   colliding 4-tuple: close it and ask for another.
    ///
    /// The caller has authenticated `client`.
    pub fn deliver(&self, client: IpAddr, app: SocketAddr) -> io::Result<Socket> {
        let (client, target) = (client.to_canonical(), app.ip().to_canonical());
        if !self.owns(target) {
            return Err(refuse(format!("{app} is not an address of the pod: nothing is delivered there")));
        }
        if !is_unicast(client) {
            return Err(refuse(format!(
                "{client} cannot be a client: the app would think that it talks to itself"
            )));
        }
        if client.is_ipv4() != target.is_ipv4() {
            return Err(refuse(format!(
                "client {client} and app {app} are of different families; use the client pod's address of the app's family"
            )));
        }
        let family = Family::of(target);
        if self.owns(client) {
            return self.make(family, |socket| if client == target { Ok(()) } else { bind(socket, client) });
        }
        self.make(family, |socket| {
            match family {
                Family::V4 => socket.set_ip_transparent_v4(true)?,
                Family::V6 => socket.set_ip_transparent_v6(true)?,
            }
            socket.set_mark(MARK)?;
            socket.bind_device(Some(b"lo"))?;
            keep_out_of_step(socket)?;
            bind(socket, client)
        })
    }

    /// True if `ip` is an address of the pod right now (loopback is the pod's too).
    pub fn owns(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_loopback() || self.own.load().contains(&ip)
    }

    /// The pod's addresses right now, loopback not among them.
    pub fn addresses(&self) -> Arc<BTreeSet<IpAddr>> {
        self.own.load_full()
    }

    pub(crate) fn set_own(&self, own: BTreeSet<IpAddr>) {
        self.own.store(Arc::new(own));
    }

    /// Lets go of the namespace; every later request fails.
    pub(crate) fn release(&self) {
        self.netns.store(None);
    }

    fn make(&self, family: Family, finish: impl FnOnce(&Socket) -> io::Result<()>) -> io::Result<Socket> {
        let netns = self.netns.load_full();
        let netns = netns.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotConnected, "the pod is gone or no longer enrolled")
        })?;
        let socket = netns.visit(&self.home, || {
            Socket::new(family.domain(), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))
        })??;
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_keepalive(
            &TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE).with_retries(KEEPALIVE_PROBES),
        )?;
        choose_port_in_connect(&socket)?;
        finish(&socket)?;
        Ok(socket)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    fn domain(self) -> Domain {
        match self {
            Self::V4 => Domain::IPV4,
            Self::V6 => Domain::IPV6,
        }
    }
}

/// An address that a connection can have at its other end and that is not this host's loopback.
fn is_unicast(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || broadcast)
}

/// Binds to an address with the port left to `connect`, where the whole 4-tuple decides whether a port is free.
fn bind(socket: &Socket, ip: IpAddr) -> io::Result<()> {
    let address: SocketAddr = match ip {
        IpAddr::V4(v4) => SocketAddrV4::new(v4, 0).into(),
        IpAddr::V6(v6) => SocketAddrV6::new(v6, 0, 0, scope(v6)).into(),
    };
    socket.bind(&address.into())
}

/// A link-local address means nothing without its link; on the delivery leg that is lo.
fn scope(ip: Ipv6Addr) -> u32 {
    if ip.is_unicast_link_local() { LOOPBACK_INDEX } else { 0 }
}

/// IP_BIND_ADDRESS_NO_PORT, which applies to IPv6 sockets too.
fn choose_port_in_connect(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option reads one int from `on`, whose size is given; both live through the call.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// IP_LOCAL_PORT_RANGE with half of the default range, beginning anywhere in its lower half.
///
/// A plaintext client on this kernel and its delivery leg connect from the same address to the same address and port. The kernel's
/// choice of a port begins at a hash of these three plus a counter that all namespaces share, so concurrent handshakes of the two would often get one
/// number. While the app's side is a request socket it is bound to no device yet, and a SYN or ACK of the other leg that
/// falls into these microseconds is answered with RST. A range of its own takes the leg out of step.
///
/// Kernel 6.3; an older one keeps its common range. The kernel ignores bounds outside of the namespace's range.
fn keep_out_of_step(socket: &Socket) -> io::Result<()> {
    const HALF: u32 = 14_116;
    // std's per-map random keys are random enough for this and cost no system call.
    let random = (RandomState::new().build_hasher().finish() % u64::from(HALF)) as u32;
    let low = 32_768 + random;
    let range: u32 = (low + HALF - 1) << 16 | low;
    // SAFETY: the option reads one u32 from `range`, whose size is given; both live through the call.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_IP,
            IP_LOCAL_PORT_RANGE,
            (&raw const range).cast(),
            size_of::<u32>() as libc::socklen_t,
        )
    };
    match io::Error::last_os_error() {
        _ if status == 0 => Ok(()),
        error if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Ok(()),
        error => Err(error),
    }
}

fn refuse(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

/// include/uapi/linux/in.h
const IP_LOCAL_PORT_RANGE: libc::c_int = 51;
const KEEPALIVE: Duration = Duration::from_secs(180);
const KEEPALIVE_PROBES: u32 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_are_unicast() {
        for (ip, unicast) in [
            ("10.0.0.1", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("127.0.0.1", false),
            ("127.13.0.1", false),
            ("::1", false),
            ("0.0.0.0", false),
            ("::", false),
            ("224.0.0.1", false),
            ("ff02::1", false),
            ("255.255.255.255", false),
        ] {
            assert_eq!(is_unicast(ip.parse().unwrap()), unicast, "{ip}");
        }
    }
}
