//! A server of the three kinds that a kubelet's probes know.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::Args;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::grpc;

/// Every page says which pod this is, whom it takes for its client, and how often each page, `tcp` and `grpc` were asked for.
#[derive(Args)]
pub(crate) struct Serve {
    /// Ports of HTTP
    #[arg(long, value_name = "PORT", value_delimiter = ',')]
    http: Vec<u16>,
    /// Port on which a line is said to whoever comes
    #[arg(long, value_name = "PORT")]
    tcp: Option<u16>,
    /// Port of `grpc.health.v1.Health`
    #[arg(long, value_name = "PORT")]
    grpc: Option<u16>,
    /// Name of this pod
    #[arg(long, env = "HOSTNAME", default_value = "", value_name = "NAME")]
    name: String,
}

/// How often each was asked for.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<BTreeMap<String, u64>>>);

impl Asked {
    /// Counts one, and tells how it stands.
    fn count(&self, what: &str) -> BTreeMap<String, u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(what.to_owned()).or_default() += 1;
        counts.clone()
    }
}

impl Serve {
    pub(crate) async fn run(self) -> Result<()> {
        let asked = Asked::default();
        let name: Arc<str> = self.name.into();
        let mut servers = tokio::task::JoinSet::new();
        for port in self.http {
            let listener = listen(any(port)).await?;
            let (name, asked) = (name.clone(), asked.clone());
            servers.spawn(pages(listener, move |request, peer| page(&name, &asked, request, peer)));
        }
        if let Some(port) = self.tcp {
            let listener = listen(any(port)).await?;
            let (name, asked) = (name.clone(), asked.clone());
            servers.spawn(accept(listener, move |mut socket, _| {
                let (name, asked) = (name.clone(), asked.clone());
                async move {
                    asked.count("tcp");
                    // A probe goes away without reading.
                    let _ = socket.write_all(format!("{name}\n").as_bytes()).await;
                }
            }));
        }
        if let Some(port) = self.grpc {
            let listener = listen(any(port)).await?;
            servers.spawn(accept(listener, move |socket, _| {
                let asked = asked.clone();
                grpc::serve(socket, move || _ = asked.count("grpc"))
            }));
        }
        eprintln!("listening");
        if servers.is_empty() {
            // It is enough to be there.
            std::future::pending::<()>().await;
        }
        while let Some(ended) = servers.join_next().await {
            ended??;
        }
        Ok(())
    }
}

fn page(name: &str, asked: &Asked, request: &Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
    json(&serde_json::json!({
        "pod": name, "seen": peer.ip().to_canonical(), "asked": asked.count(request.uri().path()),
    }))
}

/// Listens, or says where it cannot.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))
}

/// Answers HTTP/1 for as long as the program lives.
pub(crate) async fn pages(
    listener: TcpListener,
    answer: impl Fn(&Request<Incoming>, SocketAddr) -> Response<Full<Bytes>> + Clone + Send + 'static,
) -> Result<()> {
    accept(listener, move |socket, peer| {
        let answer = answer.clone();
        let handler = service_fn(move |request| {
            let answer = answer(&request, peer);
            async move { Ok::<_, Infallible>(answer) }
        });
        async move {
            // A client that goes away in the middle is its own business.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), handler)
                .await;
        }
    })
    .await
}

/// 200 with JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(serde_json::to_string(value).unwrap_or_default().into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn accept<F>(listener: TcpListener, serve: impl Fn(TcpStream, SocketAddr) -> F) -> Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => drop(tokio::spawn(serve(socket, peer))),
            // Too many open files, or a client that is gone: neither is a reason to end.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// IPv6, and IPv4 through it; the latter alone where the former is switched off.
fn any(port: u16) -> SocketAddr {
    let has_v6 = std::path::Path::new("/proc/net/if_inet6").exists();
    if has_v6 { ([0u16; 8], port).into() } else { ([0u8; 4], port).into() }
}
