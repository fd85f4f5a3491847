//! A port with room for those who come all at once.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Listens on `address`. After a restart all agents of a mesh come in one moment, and a stranger may come often: the kernel
/// drops whom its queue has no room for, and they try again a second later at the earliest.
///
/// # Errors
/// The port is taken, or may not be.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of an earlier process that are still being closed are in nobody's way.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The kernel takes the smaller of this and net.core.somaxconn, which is 4096 since Linux 5.4.
const BACKLOG: u32 = 4096;
