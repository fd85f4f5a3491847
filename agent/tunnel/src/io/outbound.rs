//! Connections that a pod's applications make.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::SendStream;
use h2::client::ResponseFuture;
use tokio::net::TcpStream;
use tokio::time::Instant;
use weir_model::{Identity, OutlierPolicy, Route, Service, Terms, Workload, route};

use super::admission::Admitted;
use super::attempt::Attempt;
use super::context::{Context, HBONE_PORT, PodContext, canonical};
use super::ends::StreamSource;
use super::exchange::{Exchange, join};
use super::flow::{Flow, Line};
use super::hand_over::HandOver;
use super::pool::Key;
use super::pump::Fault;
use super::tasks::Running;
use super::tcp;
use super::tunnel::Lease;
use crate::TunnelError;
use crate::core::{connect, trace::TraceParent};
use crate::metrics::Reporter;

/// Serves one captured connection to its end.
pub(crate) async fn serve(
    running: Running,
    context: Rc<Context>,
    pod: Rc<PodContext>,
    socket: TcpStream,
    client: SocketAddr,
) {
    // The way to here is long and needed once: its memory goes before the bytes come.
    let opened = Box::pin(open(&context, &pod, &running, &socket, client)).await;
    drop(pod);
    match opened {
        // Dropping the socket resets it, which is what a refused connection looks like.
        Err(()) => {}
        Ok(Opened::Tunnel(tunnel)) => through(&context, socket, tunnel).await,
        // Here and in `plaintext`, not in a function of their own: its arguments would stay in both futures, for each idle
        // connection.
        Ok(Opened::Joined(server, flow)) => {
            let result = join(&socket, &server, &flow).await;
            drop((socket, server));
            finish(flow, result);
        }
    }
}

/// The other side of a connection.
pub(super) enum Opened {
    /// A stream, whose answer may still be on its way.
    Tunnel(Tunnel),
    /// A socket.
    Joined(TcpStream, Flow),
}

/// A stream to another node.
pub(super) struct Tunnel {
    addr: SocketAddr,
    lease: Lease,
    answer: ResponseFuture,
    send: SendStream<Bytes>,
    attempt: Attempt,
    flow: Flow,
}

/// Where a tunnel goes.
pub(crate) struct Destination {
    pub(crate) workload: Arc<Workload>,
    pub(crate) addr: SocketAddr,
    pub(crate) service: Option<Arc<Service>>,
    pub(crate) expected: Vec<Identity>,
    /// Where a waypoint takes tunnels, if it goes through one.
    pub(crate) gateway: Option<SocketAddr>,
}

impl Destination {
    /// Where the tunnel's own connection goes.
    pub(crate) fn tunnel_addr(&self) -> SocketAddr {
        self.gateway.unwrap_or(SocketAddr::new(self.addr.ip(), HBONE_PORT))
    }
}

async fn open(
    context: &Rc<Context>,
    pod: &Rc<PodContext>,
    running: &Running,
    socket: &TcpStream,
    client: SocketAddr,
) -> Result<Opened, ()> {
    let client = canonical(client);
    let Ok(target) = socket.local_addr().map(canonical) else {
        return Err(());
    };
    let mut line = Line::new(Reporter::source, client, target);
    match decide(context, pod, running, client, target, &mut line).await {
        Ok(Way::Tunnel(lease, answer, send, attempt)) => Ok(Opened::Tunnel(Tunnel {
            addr: line.dst_addr,
            lease,
            answer,
            send,
            attempt,
            flow: Flow::open(&context.reports, line, None, None),
        })),
        Ok(Way::Joined(server)) => Ok(Opened::Joined(server, Flow::open(&context.reports, line, None, None))),
        Ok(Way::HandedOver(server, other, admitted)) => {
            let flow = Flow::open(&context.reports, line, Some(other), Some(admitted));
            Ok(Opened::Joined(server, flow))
        }
        Err(error) => {
            line.fail(&context.reports, &error);
            Err(())
        }
    }
}

enum Way {
    Tunnel(Lease, ResponseFuture, SendStream<Bytes>, Attempt),
    Joined(TcpStream),
    HandedOver(TcpStream, Line, Admitted),
}

async fn decide(
    context: &Rc<Context>,
    pod: &Rc<PodContext>,
    running: &Running,
    client: SocketAddr,
    target: SocketAddr,
    line: &mut Line,
) -> Result<Way, TunnelError> {
    if pod.pod.net().is_self(target.ip()) {
        return Err(TunnelError::OwnAddress(target.ip()));
    }
    let directory = context.directory();
    let source = pod.workload(&directory)?;
    line.ends.source = Some(source.clone());
    let limits = &context.shared().limits;
    let left_out =
        |terms: &Terms, policy: &OutlierPolicy| limits.left_out(terms, policy, Instant::now().into_std());
    match route(&directory, &source, target, &mut |n| rand::random_range(0..n), &left_out) {
        Route::Tunnel { workload, addr, service, expected, gateway, terms } => {
            let to = Destination { workload, addr, service, expected, gateway };
            line.aim(&source, &to);
            let attempt = Attempt::begin(context, line, terms, Some(&to.workload))?;
            // A waypoint ends its tunnels itself, on this node as on others.
            let here = to.gateway.is_none().then(|| context.shared().pods.get(&to.workload.uid));
            if let Some(local) = here.flatten() {
                let (source, local, directory) = (&*source, &*local, &directory);
                let way = HandOver { pod, running, directory, source, local, to: &to, attempt: &attempt };
                let made = way.connect(context, line).await;
                attempt.note(context, made.as_ref().map(drop));
                let (server, other, admitted) = made?;
                return Ok(Way::HandedOver(server, other, admitted));
            }
            tunnel(context, pod, client, &source, &to, attempt).await
        }
        Route::Direct { workload, addr, service, terms } => {
            line.ends.service = service;
            line.dst_addr = addr;
            let attempt = Attempt::begin(context, line, terms, Some(&workload));
            line.ends.destination = Some(workload);
            pass_through(context, pod, &source, client, addr, &attempt?).await.map(Way::Joined)
        }
        Route::PassThrough { addr, terms } => {
            let attempt = Attempt::begin(context, line, terms, None)?;
            pass_through(context, pod, &source, client, addr, &attempt).await.map(Way::Joined)
        }
        Route::Refuse(refusal) => Err(refusal.into()),
    }
}

/// Opens a stream. Its answer is not waited for: what the application has to say follows the request at
/// once, and the other side holds it until it has let the connection in.
async fn tunnel(
    context: &Rc<Context>,
    pod: &Rc<PodContext>,
    client: SocketAddr,
    source: &Arc<Workload>,
    to: &Destination,
    attempt: Attempt,
) -> Result<Way, TunnelError> {
    let service = to.service.as_ref().map(|s| &*s.key.hostname);
    let request = |from| connect::request(to.addr, source, from, service, TraceParent::random());
    let stream = open_stream(context, pod, client, source, to, &attempt, request);
    match attempt.within(to.tunnel_addr(), stream).await {
        Ok((lease, answer, send)) => Ok(Way::Tunnel(lease, answer, send, attempt)),
        Err(error) => {
            attempt.note(context, Err(&error));
            Err(error)
        }
    }
}

/// Opens a stream with the request that `request` makes for the tunnel's source address and the client's port.
pub(crate) async fn open_stream(
    context: &Rc<Context>,
    pod: &Rc<PodContext>,
    client: SocketAddr,
    source: &Arc<Workload>,
    to: &Destination,
    attempt: &Attempt,
    request: impl FnOnce(SocketAddr) -> Result<http::Request<()>, http::Error>,
) -> Result<(Lease, ResponseFuture, SendStream<Bytes>), TunnelError> {
    let addr = to.tunnel_addr();
    if pod.pod.net().is_self(addr.ip()) {
        return Err(TunnelError::PassThroughToSelf(to.addr));
    }
    let identity = source.identity();
    let certificate = context.shared().certificate(&identity)?;
    let key = Key {
        pod: pod.pod.uid().clone(),
        identity,
        expected: to.expected.clone(),
        addr,
        source: pod.source(source, client.ip(), addr.ip()),
        connect_timeout: attempt.limit(),
        keepalive: attempt.keepalive(),
    };
    let lease = context.pool.open(context, pod, &key, &certificate).await?;
    let from = SocketAddr::new(key.source, client.port());
    let http2 = |source| TunnelError::Http2 { addr, source };
    let request = request(from).map_err(|_| http2(h2::Reason::INTERNAL_ERROR.into()))?;
    let (answer, send) = lease.send(request).map_err(http2)?;
    Ok((lease, answer, send))
}

/// Connects to a destination outside the mesh, in the clear.
async fn pass_through(
    context: &Context,
    pod: &PodContext,
    source: &Workload,
    client: SocketAddr,
    addr: SocketAddr,
    attempt: &Attempt,
) -> Result<TcpStream, TunnelError> {
    let net = pod.pod.net();
    if net.is_self(addr.ip()) {
        return Err(TunnelError::PassThroughToSelf(addr));
    }
    let failed = |source| TunnelError::Connect { addr, source };
    let dialled = net.dial(addr).map_err(failed)?;
    // The kernel's choice is the pod's first address; the application may have made another.
    let ip = pod.source(source, client.ip(), addr.ip());
    if source.addresses.first() != Some(&ip) {
        dialled.bind(&SocketAddr::new(ip, 0).into()).map_err(failed)?;
    }
    let limit = attempt.step(context.config().connect_timeout);
    let connect = async { tcp::connect(dialled, addr, limit).await.map_err(failed) };
    let made = attempt.within(addr, connect).await;
    attempt.note(context, made.as_ref().map(drop));
    let socket = made?;
    attempt.prepare(&socket, addr)?;
    Ok(socket)
}

/// Exchanges bytes with the peer until both ends, and says what the end was.
async fn through(context: &Rc<Context>, socket: TcpStream, tunnel: Tunnel) {
    let Tunnel { addr, lease, answer, send, attempt, flow } = tunnel;
    let bulk = context.config().bulk_after;
    let result = {
        let mut exchange =
            Exchange::new(&socket, send, StreamSource::Awaiting(answer), &flow, lease.window());
        match Box::pin(answered(context, &mut exchange, addr, attempt)).await {
            Err(error) => Err(*error),
            Ok(true) => Ok(()),
            Ok(false) => std::future::poll_fn(|cx| {
                let polled = exchange.poll(cx);
                if flow.total() > bulk {
                    lease.mark_bulk();
                }
                polled
            })
            .await
            .map_err(|fault| explain(fault, addr)),
        }
    };
    drop(socket);
    flow.end(result.err().as_ref());
}

/// Waits until the peer has let the stream in; bytes flow meanwhile. Whether it is all over already. Boxed, as its error is: an idle
/// connection would have room for both all its life.
async fn answered(
    context: &Rc<Context>,
    exchange: &mut Exchange<'_>,
    addr: SocketAddr,
    attempt: Attempt,
) -> Result<bool, Box<TunnelError>> {
    let first = std::future::poll_fn(|cx| match exchange.poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending if exchange.is_answered() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    let result = match attempt.answer(addr, context.config().response_timeout, first).await {
        Err(late) => Err(late),
        // A server that refuses the client's certificate can say so only now.
        Ok(Some(Err(Fault::Peer(source)))) => Err(TunnelError::Http2 { addr, source }),
        Ok(Some(result)) => result.map(|()| true).map_err(|fault| explain(fault, addr)),
        Ok(None) => Ok(false),
    };
    let made = if exchange.is_answered() { Ok(()) } else { result.as_ref().map(drop) };
    attempt.note(context, made);
    result.map_err(Box::new)
}

pub(super) fn explain(fault: Fault, addr: SocketAddr) -> TunnelError {
    match fault {
        Fault::App(error) => TunnelError::App(error),
        Fault::Peer(error) => TunnelError::Stream(error),
        Fault::Refused(status) => TunnelError::Refused { addr, status },
    }
}

/// Reports the end of two sockets that were joined.
pub(super) fn finish(flow: Flow, result: Result<(), Fault>) {
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    flow.end(result.map_err(|fault| explain(fault, nowhere)).err().as_ref());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an idle connection costs in this process, besides its stream in h2 and its buffers, of which it
    /// has none. Grows unnoticed with every local variable that lives across an await.
    #[test]
    fn an_idle_connection_is_small() {
        fn size<F>(_: impl Fn(Running, Rc<Context>, Rc<PodContext>, TcpStream, SocketAddr) -> F) -> usize {
            size_of::<F>()
        }
        // A few bytes depend on what else is built: features of libraries are joined over the workspace.
        assert!(size(serve) <= 1600, "outbound: {}", size(serve));
        let plaintext = size(crate::io::plaintext::serve);
        assert!(plaintext <= 1024, "plaintext: {plaintext}");
        let tunnel =
            size(|_, context, pod, socket, addr| crate::io::inbound::serve(context, pod, socket, addr));
        assert!(tunnel <= 6144, "an inbound tunnel: {tunnel}");
    }
}
