//! A connection that is about to be made.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::proxy::connect::{ConnectError, Target, introduce};
use crate::proxy::wire::Stream;
use crate::proxy::worker::Worker;
use crate::upstream::{Alpn, Tls, handshake};

/// Everything that is needed for it.
pub(super) struct Opening {
    pub(super) target: Target,
    pub(super) client: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) secure: Option<Secure>,
}

/// The user's TLS, as it is for this connection.
pub(super) struct Secure {
    pub(super) tls: Arc<Tls>,
    pub(super) server: Arc<str>,
    pub(super) alpn: Alpn,
}

impl Opening {
    /// Connects; says who the client is, if the endpoint wants to know; and then, within that, TLS.
    pub(super) async fn open(self, worker: &Worker) -> Result<Stream, ConnectError> {
        let version = self.target.cluster.proxy_protocol;
        let mut stream = worker.connector.connect(self.target).await?;
        if version > 0 {
            introduce(&mut stream, version, self.client, self.destination).await?;
        }
        let Some(Secure { tls, server, alpn }) = self.secure else { return Ok(stream) };
        let secured = handshake(&tls, alpn, &server, stream).await;
        secured.map_err(|error| ConnectError::Tls { server, error: Rc::new(error) })
    }
}
