//! How a connection to an endpoint is made.

use std::any::Any;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use tokio::net::TcpStream;

use super::wire::Stream;

/// Makes connections to endpoints: plain ones here, tunnelled ones elsewhere. One for each worker.
pub trait Connector {
    /// Where the connection goes to. The caller has the time limit: the future is dropped when it is over.
    fn connect(&self, target: Target) -> LocalBoxFuture<'static, Result<Stream, ConnectError>>;
}

/// Where a connection goes to.
#[derive(Clone)]
pub struct Target {
    /// Of the workload: its address and its own port.
    pub address: SocketAddr,
    /// What is known of the endpoint.
    pub endpoint: std::sync::Arc<weir_proto::l7::Endpoint>,
    /// Of the client, for a tunnel that carries it on.
    pub source: Option<std::sync::Arc<str>>,
    /// Probes on a connection that is silent.
    pub keepalive: Option<Keepalive>,
}

/// TCP's probes on a silent connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// Lost ones that end the connection; the system's number if it is not given.
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
        address: SocketAddr,
        /// What the system said.
        error: Rc<std::io::Error>,
    },
    /// Not within the pool's connect timeout.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    /// The HTTP/2 handshake failed.
    #[error("the endpoint does not speak HTTP/2 as it should: {0}")]
    Handshake(Rc<hyper::Error>),
    /// This connector has no way to reach the endpoint.
    #[error("cannot reach the endpoint: {0}")]
    Unsupported(&'static str),
}

/// Connections as they are, without a tunnel. An endpoint that wants one is refused.
pub struct PlainConnector;

impl Connector for PlainConnector {
    fn connect(&self, target: Target) -> LocalBoxFuture<'static, Result<Stream, ConnectError>> {
        Box::pin(async move {
            if target.endpoint.tunnel {
                return Err(ConnectError::Unsupported("it wants the mesh's tunnel, which is not here"));
            }
            let address = target.address;
            let io = |error| ConnectError::Io { address, error: Rc::new(error) };
            let stream = TcpStream::connect(address).await.map_err(io)?;
            stream.set_nodelay(true).map_err(io)?;
            if let Some(keepalive) = target.keepalive {
                keepalive.set(&stream).map_err(io)?;
            }
            Ok(Box::new(stream) as Stream)
        })
    }
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

/// Held by a connection as long as it is open: a place in the cluster's limit of connections.
pub(crate) type Permit = Box<dyn Any>;
