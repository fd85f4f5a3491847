//! The agent's listeners inside a pod's namespace.
//!
//! One socket per worker and kind; those of one kind (and interface) share address, port and device and so form a reuseport group, in
//! which `tcp_migrate_req` moves the queue of one that closes to the others. They are bound to 127.13.0.x and not to a wildcard: nothing
//! can reach them by the pod's address, only sk_lookup hands connections over.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::{DatapathError, Result};
use crate::layout::{BACKLOG, PORT_FIRST, PORT_LAST};

/// What arrives at a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListenerKind {
    /// Connections that the pod opens; the accepted socket's local address is the original destination.
    Outbound,
    /// Connections from outside to any port of the pod but 15008.
    Plaintext,
    /// HBONE tunnels: connections from outside to port 15008.
    Hbone,
}

impl ListenerKind {
    /// The loopback address of the kind's listeners: all kinds can have the same port.
    fn address(self) -> Ipv4Addr {
        match self {
            Self::Outbound => Ipv4Addr::new(127, 13, 0, 1),
            Self::Plaintext => Ipv4Addr::new(127, 13, 0, 2),
            Self::Hbone => Ipv4Addr::new(127, 13, 0, 3),
        }
    }
}

/// A listening socket of a pod, for one worker to accept from.
///
/// `accept` that fails with EINVAL means that the data path has ended this listener (the interface or the pod is gone, or the pod is
/// un-enrolled): drop it.
#[derive(Debug)]
pub struct PodListener {
    /// What arrives here.
    pub kind: ListenerKind,
    /// The worker that serves it, 0-based.
    pub worker: usize,
    /// Index of the interface that it is bound to; `None` for outbound.
    pub interface: Option<u32>,
    /// Non-blocking.
    pub socket: TcpListener,
}

/// Where a listener goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// Its kind.
    pub(crate) kind: ListenerKind,
    /// Device to bind to.
    pub(crate) device: Option<&'a str>,
    /// The pod's listener port.
    pub(crate) port: u16,
}

/// Makes one listener in the calling thread's namespace (integration.md C4).
pub(crate) fn listen(place: Place<'_>) -> io::Result<TcpListener> {
    let socket = match transparent_v6() {
        // A kernel booted with ipv6.disable=1.
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => tcp(Domain::IPV4)?,
        other => other?,
    };
    let v6 = socket.domain()? == Domain::IPV6;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_ip_transparent_v4(true)?;
    if let Some(device) = place.device {
        socket.bind_device(Some(device.as_bytes()))?;
    }
    let address = place.kind.address();
    let address = if v6 {
        SocketAddr::V6(SocketAddrV6::new(address.to_ipv6_mapped(), place.port, 0, 0))
    } else {
        SocketAddr::V4(SocketAddrV4::new(address, place.port))
    };
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A dual-stack socket: it takes IPv4 and IPv6 connections alike.
fn transparent_v6() -> io::Result<Socket> {
    let socket = tcp(Domain::IPV6)?;
    socket.set_only_v6(false)?;
    socket.set_ip_transparent_v6(true)?;
    Ok(socket)
}

fn tcp(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))
}

/// Ends a listener for everybody who holds it: `accept` returns EINVAL from now on. What is queued moves to the others of its group.
pub(crate) fn end(listener: &TcpListener) {
    // A listener that has ended already says ENOTCONN, which is what we want.
    let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
}

/// True while connections can be accepted from it.
pub(crate) fn is_listening(listener: &TcpListener) -> bool {
    socket2::SockRef::from(listener).is_listener().unwrap_or(false)
}

/// SO_COOKIE of a listener: what LISTENERS must hold in its slot.
pub(crate) fn cookie(listener: &TcpListener) -> io::Result<u64> {
    socket2::SockRef::from(listener).cookie()
}

/// Finds a port that is free in the calling thread's namespace for all kinds, beginning at `wish` or at a place that `seed` decides.
pub(crate) fn find_port(wish: Option<u16>, seed: u64) -> Result<u16> {
    let mut refused = io::Error::from(io::ErrorKind::AddrInUse);
    for port in candidates(wish, seed) {
        match listen(Place { kind: ListenerKind::Outbound, device: None, port }) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => refused = error,
            Err(source) => {
                return Err(DatapathError::System {
                    action: "make a transparent listener in the pod".into(),
                    source,
                });
            }
        }
    }
    Err(DatapathError::NoPort { first: PORT_FIRST, last: PORT_LAST, source: refused })
}

fn candidates(wish: Option<u16>, seed: u64) -> impl Iterator<Item = u16> {
    let count = u64::from(PORT_LAST - PORT_FIRST) + 1;
    let start = seed % count;
    let spread = (0..count).map(move |step| PORT_FIRST + ((start + step) % count) as u16);
    wish.into_iter().chain(spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_cover_the_range_once_and_start_with_the_wish() {
        let mut ports: Vec<u16> = candidates(Some(65000), u64::MAX - 3).collect();
        assert_eq!(ports.remove(0), 65000);
        assert_eq!(ports.len(), usize::from(PORT_LAST - PORT_FIRST) + 1);
        ports.sort_unstable();
        ports.dedup();
        assert_eq!((ports.len(), ports[0], ports[ports.len() - 1]), (4536, PORT_FIRST, PORT_LAST));
    }

    #[test]
    fn kinds_have_addresses_of_their_own() {
        let kinds = [ListenerKind::Outbound, ListenerKind::Plaintext, ListenerKind::Hbone];
        let addresses: std::collections::BTreeSet<_> = kinds.map(ListenerKind::address).into();
        assert_eq!(addresses.len(), 3);
        assert!(addresses.iter().all(Ipv4Addr::is_loopback));
    }
}
