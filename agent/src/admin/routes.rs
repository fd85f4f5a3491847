//! What each endpoint answers.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, StatusCode};
use tokio::sync::Notify;

use super::{config_dump, trace_stream};
use crate::logging::LogLevel;
use crate::metrics::Metrics;
use crate::run::Parts;

pub(super) type Request = hyper::Request<Incoming>;
pub(super) type Reply = hyper::Response<BoxBody<Bytes, std::convert::Infallible>>;

/// What the endpoints may look at.
pub(crate) struct State {
    pub(crate) parts: Arc<Parts>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log_level: LogLevel,
    /// Told by `POST /quitquitquit`.
    pub(crate) quit: Arc<Notify>,
}

pub(super) async fn admin(state: Arc<State>, request: Request) -> Reply {
    let query = request.uri().query().unwrap_or_default().to_owned();
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => text(StatusCode::OK, INDEX),
        (&Method::GET, "/config_dump") => match config_dump::render(&state.parts) {
            Ok(json) => reply(StatusCode::OK, "application/json", json),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
        },
        (&Method::GET, "/trace") => trace_stream::open(&state.parts),
        (&Method::POST, "/logging") => logging(&state.log_level, &query),
        (&Method::POST, "/quitquitquit") => {
            state.quit.notify_one();
            text(StatusCode::OK, "draining\n")
        }
        (_, "/logging" | "/quitquitquit") => text(StatusCode::METHOD_NOT_ALLOWED, "use POST\n"),
        _ => text(StatusCode::NOT_FOUND, INDEX),
    }
}

pub(super) async fn metrics(state: Arc<State>, request: Request) -> Reply {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics" | "/stats/prometheus") => match state.metrics.encode(&state.parts) {
            Ok(body) => reply(StatusCode::OK, OPEN_METRICS, body),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        _ => text(StatusCode::NOT_FOUND, "GET /metrics or /stats/prometheus\n"),
    }
}

pub(super) async fn ready(state: Arc<State>, request: Request) -> Reply {
    if request.uri().path() != "/healthz/ready" {
        return text(StatusCode::NOT_FOUND, "GET /healthz/ready\n");
    }
    match state.parts.pending() {
        pending if pending.is_empty() => text(StatusCode::OK, "ready\n"),
        pending => text(StatusCode::INTERNAL_SERVER_ERROR, format!("not ready: {}\n", pending.join(", "))),
    }
}

/// `?level=FILTER` sets, `?reset` undoes, nothing shows.
fn logging(level: &LogLevel, query: &str) -> Reply {
    let result = match query.split_once('=') {
        Some(("level", directives)) => level.set(&unescape(directives)),
        None if query == "reset" => level.reset(),
        None if query.is_empty() => Ok(()),
        _ => Err(anyhow::anyhow!("use ?level=FILTER, ?reset, or nothing")),
    };
    match result {
        Ok(()) => text(StatusCode::OK, format!("{}\n", level.current())),
        Err(error) => text(StatusCode::BAD_REQUEST, format!("{error:#}\n")),
    }
}

/// Undoes the percent-encoding that HTTP clients give to `,` and `=`.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let escaped = (byte == b'%').then(|| {
            let digits = [bytes.next()?, bytes.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()
        });
        out.push(escaped.flatten().unwrap_or(byte));
    }
    String::from_utf8_lossy(&out).into_owned()
}

pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    reply(status, "text/plain; charset=utf-8", body)
}

fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Reply::new(Full::new(body.into()).boxed());
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    reply
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const INDEX: &str = "weir-agent\n\
    GET  /config_dump    what this agent knows: workloads, services, certificates, connections\n\
    GET  /trace          connection events of this node's pods, one JSON object a line\n\
    POST /logging        the log filter; ?level=info,weir_tunnel=debug sets it, ?reset undoes\n\
    POST /quitquitquit   drain and stop\n";

#[cfg(test)]
mod tests {
    #[test]
    fn percent_encoding_is_undone_and_broken_escapes_stay() {
        for (from, to) in [("info", "info"), ("a%3Ddebug%2Cb", "a=debug,b"), ("50%", "50%"), ("%zz", "%")] {
            assert_eq!(super::unescape(from), to, "{from}");
        }
    }
}
