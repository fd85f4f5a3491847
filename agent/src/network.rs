//! Joins the tunnel's wish for sockets with the datapath's way of making them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use weir_datapath::PodSockets;
use weir_tunnel::PodNetwork;

/// The sockets of one captured pod.
pub(crate) struct CapturedPod(pub(crate) Arc<PodSockets>);

impl PodNetwork for CapturedPod {
    fn dial(&self, remote: SocketAddr) -> io::Result<socket2::Socket> {
        self.0.dial(remote)
    }

    fn deliver(&self, client: IpAddr, app: SocketAddr) -> io::Result<socket2::Socket> {
        self.0.deliver(client, app)
    }

    fn owns(&self, ip: IpAddr) -> bool {
        self.0.owns(ip)
    }
}
