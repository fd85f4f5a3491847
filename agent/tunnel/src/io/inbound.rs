//! Tunnels that other nodes open to a pod.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;
use tokio::net::TcpStream;
use tokio::time::timeout;
use weir_identity::peer_identity;
use weir_model::Identity;

use super::context::{Context, PodContext, canonical};
use super::driver::{Keepalive, Serving, drive};
use super::flow::Line;
use super::settings;
use super::stream;
use super::tls::{self, TlsStream};
use super::window::Window;
use crate::TunnelError;
use crate::metrics::Reporter;

/// Who is at the other end of a tunnel.
pub(crate) struct Peer {
    /// Its TCP address.
    pub(crate) addr: SocketAddr,
    /// What it proved.
    pub(crate) identity: Identity,
    /// The pod's address that it dialled.
    pub(crate) local: SocketAddr,
    /// What it may send on all streams.
    pub(crate) window: Rc<Window>,
}

/// Serves one tunnel to a pod to its end.
pub(crate) async fn serve(context: Rc<Context>, pod: Rc<PodContext>, socket: TcpStream, addr: SocketAddr) {
    let (shared, owner) = (context.clone(), pod.clone());
    run(context, pod, socket, addr, move |peer, request, respond| {
        let (context, pod) = (shared.clone(), owner.clone());
        owner.connections.spawn(move |running| stream::serve(running, context, pod, peer, request, respond));
    })
    .await;
}

/// Serves one tunnel to its end; `on_request` gets what it asks for.
pub(crate) async fn run(
    context: Rc<Context>,
    pod: Rc<PodContext>,
    socket: TcpStream,
    addr: SocketAddr,
    mut on_request: impl FnMut(Rc<Peer>, Request<RecvStream>, SendResponse<Bytes>),
) {
    let addr = canonical(addr);
    let Ok(local) = socket.local_addr().map(canonical) else {
        return;
    };
    let accepted = Box::pin(accept(&context, &pod, socket, addr, local)).await;
    let (peer, tls, mut connection) = match accepted {
        Ok(accepted) => accepted,
        Err(error) => return report(&context, &pod, addr, local, &error),
    };
    let keepalive = Keepalive::new(connection.ping_pong(), context.config());
    let window = peer.window.clone();
    let draining = context.draining.clone().cancelled_owned();
    drop((context, pod));
    let on_request = move |request: Request<RecvStream>, respond: SendResponse<Bytes>| {
        on_request(peer.clone(), request, respond);
    };
    let serving = Serving { connection, on_request, drain: Some(Box::pin(draining)) };
    if let Err(lost) = drive(tls, serving, keepalive, window).await {
        tracing::debug!(peer = %addr, %local, %lost, "tunnel lost");
    }
}

type Accepted = (Rc<Peer>, TlsStream, h2::server::Connection<TlsStream, Bytes>);

async fn accept(
    context: &Context,
    pod: &PodContext,
    socket: TcpStream,
    addr: SocketAddr,
    local: SocketAddr,
) -> Result<Accepted, TunnelError> {
    // A delivery from the pod's own address would make the application believe that it talks to itself.
    if pod.pod.net().is_self(addr.ip()) {
        return Err(TunnelError::OwnAddress(addr.ip()));
    }
    let config = context.config();
    let workload = pod.workload(&context.directory())?;
    let certificate = context.shared().certificate(&workload.identity())?;
    let failed = |source| TunnelError::Tls { addr, source };
    let established =
        tls::accept(socket, certificate.server_config(), config.tls_timeout).await.map_err(failed)?;
    let identity = peer_identity(&established.certificates)?;
    let tls = TlsStream::new(established).map_err(failed)?;
    let handshake = settings::server(config).handshake(tls.clone());
    let connection = timeout(config.tls_timeout, handshake)
        .await
        .map_err(|_| TunnelError::NoAnswer { addr, limit: config.tls_timeout })?
        .map_err(|source| TunnelError::Http2 { addr, source })?;
    let window = Window::new(&context.budget, config);
    Ok((Rc::new(Peer { addr, identity, local, window }), tls, connection))
}

fn report(context: &Context, pod: &PodContext, addr: SocketAddr, local: SocketAddr, error: &TunnelError) {
    let directory = context.directory();
    let mut line = Line::new(Reporter::destination, addr, local);
    line.ends.destination = pod.workload(&directory).ok();
    if let Some(workload) = &line.ends.destination {
        line.ends.source = directory.workload_by_ip(&workload.network, addr.ip()).map(Arc::clone);
    }
    line.fail(&context.reports, error);
}
