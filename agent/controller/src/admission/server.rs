//! The webhook's port: TLS and HTTP/1.1.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use weir_process::{Places, Reply, json, text};
use weir_serve::tls::TlsSource;

use super::review::Answer;
use super::{AdmissionMetrics, Limits, Malformed, review};

/// What the webhook needs to know.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Names of the mesh, as the index has them: what the controller refuses depends on some.
    pub config: weir_index::Config,
    /// What a caller may take.
    pub limits: Limits,
    /// Its counters.
    pub metrics: AdmissionMetrics,
}

/// What all connections share.
struct Shared {
    admission: Admission,
    /// Who has one reads a review.
    turns: Arc<Semaphore>,
}

/// Serves reviews at `/validate` until `shutdown`. What a stranger does on the port costs his connection only.
pub async fn serve(
    listener: TcpListener,
    tls: TlsSource,
    admission: Admission,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (stop, stopped) = watch::channel(false);
    let open = Arc::new(Semaphore::new(admission.limits.connections));
    let places = Places::default();
    let shared = Arc::new(Shared { admission, turns: Arc::new(Semaphore::new(TURNS)) });
    let limits = &shared.admission.limits;
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            // Those that ended need not be remembered.
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &open) => accepted,
        };
        let Some((stream, address, permit)) = accepted else { continue };
        let Some(place) = places.enter(address.ip(), limits.per_address) else {
            tracing::debug!(%address, "connection to the webhook refused: too many from there");
            continue;
        };
        let acceptor = TlsAcceptor::from(tls.load_full());
        let connection = connection(stream, address, acceptor, shared.clone(), stopped.clone());
        connections.spawn(async move {
            connection.await;
            drop((permit, place));
        });
    }
    stop.send_replace(true);
    let drained = timeout(limits.drain, async { while connections.join_next().await.is_some() {} });
    // Those that are left are cut with the set.
    let _ = drained.await;
}

async fn accept(
    listener: &TcpListener,
    open: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = open.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => Some((stream, address, permit)),
        // Out of descriptors, most likely: others need time to end.
        Err(error) => {
            tracing::warn!("cannot accept on the webhook's port: {error}");
            tokio::time::sleep(AGAIN).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let limits = &shared.admission.limits;
    let stream = match timeout(limits.handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%address, "TLS handshake with the webhook failed: {error}"),
        Err(_) => return tracing::debug!(%address, "TLS handshake with the webhook took too long"),
    };
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(MAX_HEAD);
    let service = service_fn(|request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(handle(&shared, request).await) }
    });
    let mut served = std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = async { drop(stopped.wait_for(|stop| *stop).await) } => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, "a caller of the webhook went away: {error}");
    }
}

async fn handle(shared: &Shared, request: hyper::Request<Incoming>) -> Reply {
    let admission = &shared.admission;
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/validate") => {}
        (_, "/validate") => return text(StatusCode::METHOD_NOT_ALLOWED, "POST an AdmissionReview\n"),
        _ => return text(StatusCode::NOT_FOUND, "this is the webhook of weir-controller: POST /validate\n"),
    }
    let body = Limited::new(request.into_body(), admission.limits.bytes).collect();
    let body = match timeout(admission.limits.body, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return refused(admission, StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
        }
        Ok(Err(error)) => return refused(admission, StatusCode::BAD_REQUEST, &error.to_string()),
        Err(_) => return refused(admission, StatusCode::REQUEST_TIMEOUT, "the body took too long"),
    };
    if review::most_values(&body) > admission.limits.values {
        return refused(admission, StatusCode::PAYLOAD_TOO_LARGE, "the body holds too many values");
    }
    match judge(shared, body).await {
        Ok(Ok(answer)) => {
            admission.metrics.count(if answer.allowed { "allowed" } else { "refused" });
            json(StatusCode::OK, answer.body)
        }
        Ok(Err(error)) => refused(admission, StatusCode::BAD_REQUEST, &error.to_string()),
        Err(gone) => refused(admission, StatusCode::INTERNAL_SERVER_ERROR, &gone.to_string()),
    }
}

/// Not on a thread that serves the agents, and not many at once: a long review takes a while, and memory.
async fn judge(shared: &Shared, body: Bytes) -> Result<Result<Answer, Malformed>, JoinError> {
    let turn = shared.turns.clone().acquire_owned().await;
    let config = shared.admission.config.clone();
    let work = move || {
        // A caller who goes away does not end the work, and so not the turn.
        let _turn = turn;
        review::judge(&body, &config)
    };
    tokio::task::spawn_blocking(work).await
}

fn refused(admission: &Admission, status: StatusCode, why: &str) -> Reply {
    tracing::debug!("the webhook was asked something else: {why}");
    admission.metrics.count("malformed");
    text(status, format!("{why}\n"))
}

const MAX_HEAD: usize = 64 * 1024;
/// Reviews that are read at once.
const TURNS: usize = 2;
const AGAIN: Duration = Duration::from_millis(50);
