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
    Port::take(address)?.listen()
}

/// A port that is ours, at which nobody is heard yet: whoever comes is refused at once, and may go to another replica. One that listened
/// without an answer would keep him until his patience ends.
pub struct Port(TcpSocket);

impl Port {
    /// Takes the port of `address`.
    ///
    /// # Errors
    /// The port is taken, or may not be.
    pub fn take(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Connections of an earlier process that are still being closed are in nobody's way.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self(socket))
    }

    /// From now on they are heard, with room as [`listen`] says.
    ///
    /// # Errors
    /// Another one listens there by now.
    pub fn listen(self) -> io::Result<TcpListener> {
        self.0.listen(BACKLOG)
    }
}

/// The kernel takes the smaller of this and net.core.somaxconn, which is 4096 since Linux 5.4.
const BACKLOG: u32 = 4096;

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_port_that_is_only_taken_refuses() {
        let port = Port::take("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = port.0.local_addr().unwrap();
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let _listener = port.listen().unwrap();
        TcpStream::connect(address).await.unwrap();
        let taken = Port::take(address).err().unwrap();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    }
}
