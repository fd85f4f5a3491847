//! The other end of a connection, as the TLS handshake knows it.

use std::net::SocketAddr;

use rustls::ServerConnection;
use weir_identity::peer_identity;
use weir_model::Identity;

/// What is known of a connection. The server puts it into the extensions of each of its requests, as the `ConnectInfo` of
/// its streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Where it comes from.
    pub address: SocketAddr,
    /// Whom its certificate names, which the handshake has verified; `None` without a certificate.
    pub identity: Option<Identity>,
}

impl Peer {
    /// Of a connection whose handshake is done.
    pub fn of(address: SocketAddr, connection: &ServerConnection) -> Self {
        let identity = connection.peer_certificates().and_then(|chain| peer_identity(chain).ok());
        Self { address, identity }
    }
}
