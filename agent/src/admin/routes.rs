//! What each endpoint answers.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use tokio::sync::Notify;
use weir_process::{LogLevel, Reply, Request, json, logging, text};

use super::{config_dump, connections, trace_stream};
use crate::metrics::Metrics;
use crate::run::Parts;

/// What the endpoints may look at.
pub(crate) struct State {
    pub(crate) parts: Arc<Parts>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log_level: LogLevel,
    /// Told by `POST /quitquitquit`.
    pub(crate) quit: Arc<Notify>,
}

pub(super) async fn admin(state: Arc<State>, request: Request) -> Reply {
    let query = request.uri().query().unwrap_or_default();
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => text(StatusCode::OK, INDEX),
        (&Method::GET, "/config_dump") => match config_dump::render(&state.parts) {
            Ok(dump) => json(StatusCode::OK, dump),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
        },
        (&Method::GET, "/connections") => connections::page(&state.parts).await,
        (&Method::GET, "/trace") => trace_stream::open(&state.parts),
        (&Method::POST, "/logging") => logging(&state.log_level, query),
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
        (&Method::GET, "/metrics" | "/stats/prometheus") => match state.metrics.page(&state.parts) {
            Ok(page) => page,
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        _ => text(StatusCode::NOT_FOUND, "GET /metrics or /stats/prometheus\n"),
    }
}

pub(super) async fn ready(state: Arc<State>, request: Request) -> Reply {
    match request.uri().path() {
        // Whoever is without a control plane lives on with what he knows: to restart him would help nobody.
        "/healthz/live" => text(StatusCode::OK, "live\n"),
        "/healthz/ready" => match state.parts.pending() {
            pending if pending.is_empty() => text(StatusCode::OK, "ready\n"),
            pending => {
                text(StatusCode::INTERNAL_SERVER_ERROR, format!("not ready: {}\n", pending.join(", ")))
            }
        },
        _ => text(StatusCode::NOT_FOUND, "GET /healthz/ready or /healthz/live\n"),
    }
}

const INDEX: &str = "weir-agent\n\
    GET  /config_dump    what this agent knows: workloads, services, policies, certificates\n\
    GET  /connections    connections of this node's pods that are open now\n\
    GET  /trace          connection events of this node's pods, one JSON object a line\n\
    POST /logging        the log filter; ?level=info,weir_tunnel=debug sets it, ?reset undoes\n\
    POST /quitquitquit   drain and stop\n";
