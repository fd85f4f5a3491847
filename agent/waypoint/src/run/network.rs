//! Sockets of a program that captures nothing: its own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use weir_discovery::Store;
use weir_tunnel::PodNetwork;

/// The network of the process. Its addresses are those of its workload.
pub struct HostNetwork {
    /// Its own workload's uid.
    pub uid: Arc<str>,
    /// The mesh.
    pub store: Store,
}

impl PodNetwork for HostNetwork {
    fn dial(&self, remote: SocketAddr) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(remote), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn deliver(&self, _: IpAddr, _: SocketAddr) -> io::Result<Socket> {
        // A waypoint has no application behind it.
        Err(io::ErrorKind::Unsupported.into())
    }

    fn owns(&self, ip: IpAddr) -> bool {
        self.store.load().workload(&self.uid).is_some_and(|own| own.addresses.contains(&ip))
    }
}
