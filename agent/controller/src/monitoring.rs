//! The monitoring endpoint: metrics, readiness, and what the controller knows.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use anyhow::Context;
use hyper::{Method, StatusCode};
use weir_process::{LogLevel, Reply, Request, json, logging, text};
use weir_resources::Kind;
use weir_serve::Store;
use weir_sources::{Health, KindHealth};

use crate::mesh::Board;
use crate::metrics::Metrics;

/// What the pages may look at.
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) board: Option<Arc<Board>>,
    pub(crate) sources: Option<Health>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log_level: LogLevel,
}

/// Answers one request; before there is a state, only that the process lives.
pub(crate) async fn answer(state: Arc<OnceLock<State>>, request: Request) -> Reply {
    match (state.get(), request.uri().path()) {
        (Some(state), _) => page_of(state, &request),
        (None, "/healthz/live") => text(StatusCode::OK, "live\n"),
        (None, _) => text(StatusCode::SERVICE_UNAVAILABLE, "starting: the log says what is waited for\n"),
    }
}

fn page_of(state: &State, request: &Request) -> Reply {
    let query = request.uri().query().unwrap_or_default();
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics" | "/stats/prometheus") => state.metrics.page(),
        (&Method::GET, "/healthz/ready" | "/ready") => match state.store.is_ready() {
            true => text(StatusCode::OK, "ready\n"),
            false => text(StatusCode::SERVICE_UNAVAILABLE, unready(state.sources.as_ref())),
        },
        (&Method::GET, "/healthz/live") => text(StatusCode::OK, "live\n"),
        (&Method::GET, "/debug/connections") => page(&state.store.connections()),
        (&Method::GET, "/debug/resources") => page(&resources(&state.store)),
        (&Method::GET, "/debug/sources") => match &state.sources {
            Some(health) => page(&sources(health)),
            None => text(StatusCode::NOT_FOUND, "a directory: what is wrong with its files is in the log\n"),
        },
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

/// How each kind of the cluster is read.
fn sources(health: &Health) -> serde_json::Value {
    let ago = |at: SystemTime| at.elapsed().unwrap_or_default().as_secs();
    let one = |(kind, health): (Kind, KindHealth)| {
        let error = health
            .last_error
            .map(|(message, at)| serde_json::json!({"message": message, "secondsAgo": ago(at)}));
        let known = serde_json::json!({
            "group": kind.group(), "state": health.state.name(), "forSeconds": ago(health.since),
            "errors": health.errors, "lastError": error,
        });
        (kind.name().to_owned(), known)
    };
    health.details().into_iter().map(one).collect::<serde_json::Map<_, _>>().into()
}

/// Why there is nothing to serve yet.
fn unready(health: Option<&Health>) -> String {
    let kinds = health.into_iter().flat_map(Health::report).filter(|(_, state)| !state.is_well());
    let kinds: Vec<_> = kinds.map(|(kind, state)| format!("  {}: {state}\n", kind.name())).collect();
    format!("not ready: not all kinds have been listed\n{}", kinds.concat())
}

const INDEX: &str = "weir-controller\n\
    GET  /metrics            for Prometheus\n\
    GET  /healthz/ready      200 when every kind has been listed\n\
    GET  /debug/connections  who is connected, what each holds and what it refused\n\
    GET  /debug/resources    names and versions of all that is served\n\
    GET  /debug/sources      how each kind of the cluster is read, since when, and the last error\n\
    GET  /debug/status       what each object was told (directory source)\n\
    POST /logging            the log filter; ?level=info,weir_serve=debug sets it, ?reset undoes\n";
