//! The monitoring endpoint: metrics, readiness, and what the controller knows.

use std::sync::Arc;

use anyhow::Context;
use hyper::{Method, StatusCode};
use weir_process::{LogLevel, Reply, Request, json, logging, text};
use weir_serve::Store;

use crate::mesh::Board;
use crate::metrics::Metrics;

/// What the pages may look at.
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) board: Option<Arc<Board>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log_level: LogLevel,
}

/// Answers one request.
pub(crate) async fn answer(state: Arc<State>, request: Request) -> Reply {
    let query = request.uri().query().unwrap_or_default();
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics" | "/stats/prometheus") => state.metrics.page(),
        (&Method::GET, "/healthz/ready" | "/ready") => match state.store.is_ready() {
            true => text(StatusCode::OK, "ready\n"),
            false => text(StatusCode::SERVICE_UNAVAILABLE, "not ready: not all kinds have been listed\n"),
        },
        (&Method::GET, "/healthz/live") => text(StatusCode::OK, "live\n"),
        (&Method::GET, "/debug/connections") => page(&state.store.connections()),
        (&Method::GET, "/debug/resources") => page(&resources(&state.store)),
        (&Method::GET, "/debug/status") => match &state.board {
            Some(board) => page(&board.json()),
            None => text(StatusCode::NOT_FOUND, "statuses are in the cluster: kubectl get -o yaml\n"),
        },
        (&Method::POST, "/logging") => logging(&state.log_level, query),
        _ => text(StatusCode::NOT_FOUND, INDEX),
    }
}

fn page(value: &impl serde::Serialize) -> Reply {
    match serde_json::to_vec(value).context("not JSON") {
        Ok(body) => json(StatusCode::OK, body),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
    }
}

/// Names and versions of all that is served.
fn resources(store: &Store) -> serde_json::Value {
    let snapshot = store.snapshot();
    let versions = |all: &mut dyn Iterator<Item = &Arc<weir_index::Resource>>| {
        let sorted: std::collections::BTreeMap<_, _> =
            all.map(|resource| (resource.name.to_string(), format!("{:016x}", resource.version))).collect();
        serde_json::json!(sorted)
    };
    serde_json::json!({
        "addresses": versions(&mut snapshot.addresses()),
        "authorizations": versions(&mut snapshot.authorizations()),
    })
}

const INDEX: &str = "weir-controller\n\
    GET  /metrics            for Prometheus\n\
    GET  /healthz/ready      200 when every kind has been listed\n\
    GET  /debug/connections  who is connected, what each holds and what it refused\n\
    GET  /debug/resources    names and versions of all that is served\n\
    GET  /debug/status       what each object was told (directory source)\n\
    POST /logging            the log filter; ?level=info,weir_serve=debug sets it, ?reset undoes\n";
