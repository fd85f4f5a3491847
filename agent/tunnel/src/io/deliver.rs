//! The last leg: to the pod's own application.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;

use super::tcp;
use crate::{Config, PodNetwork, TunnelError};

/// Connects to the application at `app`, which sees `client` as its peer.
///
/// Over loopback the kernel picks the client's port and may meet an older socket with the same addresses that
/// swallows the SYN. So the first attempt is short and the second has another port; the second has all the
/// time (`limit`), because a full accept queue looks the same. Each socket chooses among a part of the ports, so one that
/// finds none free is replaced, too.
///
/// # Errors
/// What the last attempt met.
pub(crate) async fn deliver(
    net: &dyn PodNetwork,
    client: IpAddr,
    app: SocketAddr,
    config: &Config,
    limit: Duration,
) -> Result<TcpStream, TunnelError> {
    let attempt = async |limit| tcp::connect(net.deliver(client, app)?, app, limit).await;
    let mut result = attempt(config.first_delivery_timeout).await;
    let again = [io::ErrorKind::TimedOut, io::ErrorKind::AddrNotAvailable];
    if matches!(&result, Err(e) if again.contains(&e.kind())) {
        result = attempt(limit).await;
    }
    result.map_err(|source| TunnelError::Connect { addr: app, source })
}
