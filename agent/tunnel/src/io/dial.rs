//! Opens a tunnel: TCP, TLS, HTTP/2.

use std::io;

use bytes::Bytes;
use h2::client::{self, SendRequest};
use socket2::{SockAddr, SockRef};
use std::net::SocketAddr;
use std::rc::Rc;
use weir_identity::WorkloadCertificate;

use super::attempt::SLACK;
use super::driver::{Keepalive, Lost, drive};
use super::pool::Key;
use super::tls::{self, TlsStream};
use super::window::Window;
use super::{settings, tcp};
use crate::{Config, LocalPod, TunnelError};

/// Opens a tunnel from the pod. Returns what sends requests, and the tunnel's task.
///
/// # Errors
/// Which step failed, and how.
pub(crate) async fn dial(
    pod: &LocalPod,
    key: &Key,
    certificate: &WorkloadCertificate,
    config: &Config,
    window: Rc<Window>,
) -> Result<(SendRequest<Bytes>, impl Future<Output = Result<(), Lost>> + use<>), TunnelError> {
    let addr = key.addr;
    let socket = connect(pod, key, config).await?;
    let pinned = certificate.client_config(&key.expected);
    let tls = tls::connect(socket, pinned, config.tls_timeout)
        .await
        .and_then(TlsStream::new)
        .map_err(|source| TunnelError::Tls { addr, source })?;
    let (requests, mut connection) = settings::client(config)
        .handshake(tls.clone())
        .await
        .map_err(|source| TunnelError::Http2 { addr, source })?;
    let keepalive = Keepalive::new(connection.ping_pong(), config);
    Ok((requests, run(tls, connection, keepalive, window)))
}

async fn run(
    tls: TlsStream,
    connection: client::Connection<TlsStream, Bytes>,
    keepalive: Keepalive,
    window: Rc<Window>,
) -> Result<(), Lost> {
    drive(tls, connection, keepalive, window).await
}

async fn connect(pod: &LocalPod, key: &Key, config: &Config) -> Result<tokio::net::TcpStream, TunnelError> {
    // Who dials gives up in time, and says by which rule.
    let (addr, limit) = (key.addr, key.connect_timeout.map_or(config.connect_timeout, |limit| limit + SLACK));
    let attempt = async {
        let socket = pod.net().dial(addr)?;
        if let Some(keepalive) = &key.keepalive {
            tcp::keep_alive(SockRef::from(&socket), keepalive)?;
        }
        socket.bind(&SockAddr::from(SocketAddr::new(key.source, 0)))?;
        tcp::connect(socket, addr, limit).await
    };
    attempt.await.map_err(|source| match source.kind() {
        io::ErrorKind::TimedOut => TunnelError::NetworkPolicy { addr, limit },
        _ => TunnelError::Connect { addr, source },
    })
}
