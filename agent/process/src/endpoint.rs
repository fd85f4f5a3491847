//! A process's own HTTP endpoints, each on a port of its own so that each can be opened to those who need it only.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::places::Places;

/// What a client asks.
pub type Request = hyper::Request<Incoming>;
/// What it gets.
pub type Reply = hyper::Response<BoxBody<Bytes, Infallible>>;

/// An endpoint, bound. A client that comes before it is served waits.
#[derive(Debug)]
pub struct Endpoint(TcpListener);

impl Endpoint {
    /// Binds it; `name` is the flag that sets the address.
    ///
    /// # Errors
    /// The port is taken, or may not be.
    #[expect(clippy::unused_async, reason = "a socket belongs to the runtime in which it is made")]
    pub async fn bind(name: &str, address: SocketAddr) -> anyhow::Result<Self> {
        let listener = crate::listen(address);
        Ok(Self(listener.with_context(|| {
            format!("cannot listen on {address} for the {name} endpoint; --{name} gives another address")
        })?))
    }

    /// Serves it, for ever.
    pub async fn serve<S, F, R>(self, state: Arc<S>, handle: F)
    where
        S: Send + Sync + 'static,
        F: Fn(Arc<S>, Request) -> R + Copy + Send + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let (open, places) = (Arc::new(Semaphore::new(CONNECTIONS)), Places::default());
        loop {
            let Ok(permit) = open.clone().acquire_owned().await else { return };
            match self.0.accept().await {
                Ok((stream, address)) => {
                    let Some(place) = places.enter(address.ip(), PER_ADDRESS) else { continue };
                    let connection = connection(stream, state.clone(), handle);
                    tokio::spawn(async move {
                        connection.await;
                        drop((permit, place));
                    });
                }
                // Out of file descriptors, most likely: a pause lets others finish instead of spinning.
                Err(error) => {
                    tracing::warn!(%error, "an own endpoint cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn connection<S, F, R>(stream: TcpStream, state: Arc<S>, handle: F)
where
    S: Send + Sync + 'static,
    F: Fn(Arc<S>, Request) -> R + Copy + Send + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(handle(state, request).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEADERS);
    let mut served = std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
    let ended = match timeout(LIFETIME, served.as_mut()).await {
        Ok(ended) => ended,
        // Who is in the middle of something may finish it; who reads nothing is cut.
        Err(_) => {
            served.as_mut().graceful_shutdown();
            timeout(GRACE, served).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a client of an own endpoint went away");
    }
}

/// A reply for people.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    with_type(status, "text/plain; charset=utf-8", body)
}

/// A reply for machines.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    with_type(status, "application/json", body)
}

/// A reply of another type.
pub fn with_type(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Reply::new(Full::new(body.into()).boxed());
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    reply
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HEADERS: usize = 16 * 1024;
/// Open connections, and how many of them from one address: the pages may be large, and whoever asks may not read them.
const CONNECTIONS: usize = 256;
const PER_ADDRESS: usize = 32;
/// Of a connection, however busy.
const LIFETIME: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpSocket;

    use super::*;

    async fn connect(from: &str, to: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(from.parse().unwrap()).unwrap();
        socket.connect(to).await.unwrap()
    }

    async fn ask(mut stream: TcpStream) -> String {
        let mut reply = String::new();
        // Who is turned away may not even be able to ask.
        let _ = stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await;
        let _ = stream.read_to_string(&mut reply).await;
        reply
    }

    #[tokio::test]
    async fn one_address_does_not_keep_the_others_out() {
        let endpoint = Endpoint::bind("test", "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = endpoint.0.local_addr().unwrap();
        let served =
            tokio::spawn(endpoint.serve(Arc::new(()), |_, _| async { text(StatusCode::OK, "here") }));
        let mut silent = Vec::new();
        for _ in 0..PER_ADDRESS {
            silent.push(connect("127.0.0.1:0", address).await);
        }
        assert_eq!(ask(connect("127.0.0.1:0", address).await).await, "");
        assert!(ask(connect("127.0.0.2:0", address).await).await.ends_with("here"));
        drop(silent);
        while !ask(connect("127.0.0.1:0", address).await).await.ends_with("here") {
            // That they went is noticed a moment later.
            tokio::task::yield_now().await;
        }
        served.abort();
    }
}
