//! The port: TCP, TLS and HTTP/2 for all services of the control plane.
//!
//! Strangers reach this. What one of them does (random bytes, half a handshake, silence, a flood) costs that one its
//! connection and nobody else theirs.

use std::future::Future;
use std::time::Duration;

use tokio::net::TcpListener;
use tonic::service::Routes;

use crate::tls::TlsSource;

mod accept;
mod connection;
mod limits;
mod proof;

pub(crate) use connection::Link;
pub use limits::Limits;

/// Why the port is no longer served.
#[derive(Debug, thiserror::Error)]
#[error("the port of the control plane ended: {0}")]
pub struct ServeError(#[from] tonic::transport::Error);

/// Serves `services` on `listener` until `shutdown`; then the open connections have [`Limits::drain`] to end. Streams
/// of discovery end when their store is closed ([`crate::Store::close`]).
///
/// # Errors
/// Of the transport, which does not happen while single connections fail.
pub async fn serve(
    listener: TcpListener,
    tls: TlsSource,
    limits: Limits,
    services: Routes,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let incoming = accept::accept(listener, tls, limits.clone(), stopped.clone());
    let mut ended = stopped.clone();
    let server = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(limits.streams)
        .http2_max_header_list_size(limits.headers)
        .tcp_nodelay(true)
        .layer(proof::ProofLayer)
        .serve_with_incoming_shutdown(services.prepare(), incoming, async move {
            let _ = ended.wait_for(|stop| *stop).await;
        });
    let mut server = std::pin::pin!(server);
    tokio::select! {
        result = &mut server => return Ok(result?),
        () = shutdown => { stop.send_replace(true); }
    }
    match tokio::time::timeout(limits.drain, server).await {
        Ok(result) => Ok(result?),
        // Those that are left are cut.
        Err(_) => Ok(()),
    }
}

const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
