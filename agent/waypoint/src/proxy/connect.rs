//! How a connection to an endpoint is made.

mod proxy_protocol;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use weir_proto::l7;

use super::wire::Stream;
use crate::balance::{Address, Endpoint};

/// Makes connections to endpoints: plain ones here, tunnelled ones elsewhere. One for each worker.
pub trait Connector {
    /// Connects. The caller has the time limit: the future is dropped when it is over.
    fn connect(&self, target: Target) -> LocalBoxFuture<'static, Result<Stream, ConnectError>>;
}

/// Where a connection goes to.
#[derive(Debug, Clone)]
pub struct Target {
    /// The endpoint: its address, its identity, whether it wants the tunnel.
    pub endpoint: Arc<Endpoint>,
    /// The settings of its cluster, TLS among them.
    pub cluster: Arc<l7::Cluster>,
    /// The identity of the client for which the connection is made, for a tunnel that carries it on. A tunnelled
    /// connection serves clients of this identity only.
    pub source: Option<Arc<str>>,
    /// Probes on a connection that is silent.
    pub keepalive: Option<Keepalive>,
}

/// TCP's probes on a silent connection; what is not given is the system's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// Lost ones that end the connection.
    pub probes: Option<u32>,
    /// Before the first.
    pub time: Option<Duration>,
    /// Between them.
    pub interval: Option<Duration>,
}

/// Why there is no connection. Several requests can wait for one connection, so it is shared.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// The system's reason.
    #[error("cannot connect to {address}: {error}")]
    Io {
        /// Of the endpoint.
        address: Address,
        /// What the system said.
        error: Rc<std::io::Error>,
    },
    /// Not within the pool's connect timeout.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    /// The HTTP/2 handshake failed.
    #[error("the endpoint does not speak HTTP/2 as it should: {0}")]
    Handshake(Rc<hyper::Error>),
    /// The server is not who it should be, or does not want us, or speaks no TLS.
    #[error("no TLS with {server}: {error}")]
    Tls {
        /// The name that it should have.
        server: Arc<str>,
        /// What rustls or the system said.
        error: Rc<std::io::Error>,
    },
    /// The endpoint went away before it was told who the client is.
    #[error("cannot say who the client is: {0}")]
    Introduction(Rc<std::io::Error>),
    /// This connector has no way to reach the endpoint.
    #[error("cannot reach the endpoint: {0}")]
    Unsupported(&'static str),
}

/// Connections as they are. An endpoint that wants the mesh's tunnel, or its TLS, is refused; the user's TLS is made by
/// whoever asked for the connection.
pub struct PlainConnector;

impl Connector for PlainConnector {
    fn connect(&self, target: Target) -> LocalBoxFuture<'static, Result<Stream, ConnectError>> {
        Box::pin(plain(target))
    }
}

async fn plain(target: Target) -> Result<Stream, ConnectError> {
    if target.endpoint.form().tunnel {
        return Err(ConnectError::Unsupported("it wants the mesh's tunnel, which is not here"));
    }
    if target.cluster.tls.as_ref().is_some_and(|tls| tls.mode() == l7::TlsMode::Mesh) {
        return Err(ConnectError::Unsupported("it wants the mesh's TLS without a tunnel, which is not here"));
    }
    let address = target.endpoint.address();
    let io = |error| ConnectError::Io { address: address.clone(), error: Rc::new(error) };
    let stream = match address {
        Address::Socket(address) => TcpStream::connect(address).await,
        Address::Name(name, port) => TcpStream::connect((&**name, *port)).await,
    };
    let stream = stream.map_err(io)?;
    stream.set_nodelay(true).map_err(io)?;
    if let Some(keepalive) = target.keepalive {
        keepalive.set(&stream).map_err(io)?;
    }
    Ok(Box::new(stream) as Stream)
}

/// Says who the client is, by a version of the PROXY protocol.
pub(crate) async fn introduce(
    stream: &mut Stream,
    version: u32,
    client: SocketAddr,
    destination: SocketAddr,
) -> Result<(), ConnectError> {
    let header = proxy_protocol::header(version, client, destination);
    let header = header
        .ok_or(ConnectError::Unsupported("it wants a version of the PROXY protocol that is not known"))?;
    stream.write_all(&header).await.map_err(|error| ConnectError::Introduction(Rc::new(error)))
}

impl Keepalive {
    fn set(self, stream: &TcpStream) -> std::io::Result<()> {
        let mut wanted = socket2::TcpKeepalive::new();
        if let Some(time) = self.time {
            wanted = wanted.with_time(time);
        }
        if let Some(interval) = self.interval {
            wanted = wanted.with_interval(interval);
        }
        if let Some(probes) = self.probes {
            wanted = wanted.with_retries(probes);
        }
        socket2::SockRef::from(stream).set_tcp_keepalive(&wanted)
    }
}
