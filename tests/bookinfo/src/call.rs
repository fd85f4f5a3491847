//! Calls to the other services.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Gets JSON from `base` and `path` with the caller's headers that are to be passed on.
///
/// # Errors
/// No answer within `limit`, or one that is not a success.
pub(crate) async fn get(base: &Uri, path: &str, headers: &HeaderMap, limit: Duration) -> Result<Value> {
    let answer = timeout(limit, exchange(base, path, headers)).await;
    answer.with_context(|| format!("{base} did not answer within {limit:?}"))?
}

async fn exchange(base: &Uri, path: &str, headers: &HeaderMap) -> Result<Value> {
    let authority = base.authority().with_context(|| format!("{base} has no host"))?;
    let (host, port) = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
    let socket = TcpStream::connect((host, port)).await.with_context(|| format!("connecting to {base}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);
    let mut request = Request::get(path).header(HOST, authority.as_str()).body(Empty::<Bytes>::new())?;
    for name in PASSED_ON {
        for value in headers.get_all(*name) {
            request.headers_mut().append(*name, value.clone());
        }
    }
    let response = sender.send_request(request).await.with_context(|| format!("asking {base}"))?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        bail!("{base} answered {status}");
    }
    Ok(serde_json::from_slice(&body)?)
}

/// Who asks, and as part of what.
const PASSED_ON: &[&str] = &[
    "end-user",
    "user-agent",
    "x-request-id",
    "traceparent",
    "tracestate",
    "baggage",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
];
