//! The agent's own HTTP endpoints: admin (loopback), metrics and readiness, each on a port of its own so
//! that each can be opened to those who need it only (ports and paths as Istio's node proxy has them).

mod config_dump;
mod routes;
mod trace_stream;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

pub(crate) use routes::State;

use crate::config::Listen;
use routes::{Reply, Request};

/// The three endpoints, bound. A client that comes before they are served waits.
pub(crate) struct Endpoints {
    admin: TcpListener,
    metrics: TcpListener,
    ready: TcpListener,
}

impl Endpoints {
    /// Binds them; a port that is taken is an error now, before the kernel has been touched.
    pub(crate) async fn bind(listen: &Listen) -> anyhow::Result<Self> {
        Ok(Self {
            admin: bind("admin", listen.admin).await?,
            metrics: bind("metrics", listen.metrics).await?,
            ready: bind("ready", listen.ready).await?,
        })
    }

    /// Serves them in the background.
    pub(crate) fn serve(self, state: &Arc<State>) {
        tokio::spawn(serve(self.admin, state.clone(), routes::admin));
        tokio::spawn(serve(self.metrics, state.clone(), routes::metrics));
        tokio::spawn(serve(self.ready, state.clone(), routes::ready));
    }
}

async fn bind(name: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| {
        format!("cannot listen on {address} for the {name} endpoint; --{name} gives another address")
    })
}

async fn serve<F, R>(listener: TcpListener, state: Arc<State>, handle: F)
where
    F: Fn(Arc<State>, Request) -> R + Copy + Send + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, state.clone(), handle))),
            // Out of file descriptors, most likely: a pause lets others finish instead of spinning.
            Err(error) => {
                tracing::warn!(%error, "an own endpoint cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection<F, R>(stream: TcpStream, state: Arc<State>, handle: F)
where
    F: Fn(Arc<State>, Request) -> R + Copy + Send + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(handle(state, request).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEADERS);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a client of an own endpoint went away");
    }
}

const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);
const HEADER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
const MAX_HEADERS: usize = 16 * 1024;
