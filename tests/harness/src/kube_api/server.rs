//! The HTTP side: a thread with a runtime of its own, so that tests need none.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::answer::{Answer, Failure, answer, json_answer};
use super::fault::Fault;
use super::rest::Rest;
use super::route::{ResourcePath, Route, Target};
use super::store::Id;
use super::{Shared, discovery, forward, watch};

/// What one request may weigh, as in a real server.
const MAX_BODY: usize = 3 << 20;

pub(crate) type Started = (SocketAddr, oneshot::Sender<()>, std::thread::JoinHandle<()>);

/// Starts the thread; it ends when the sender is dropped.
pub(crate) fn start(shared: Arc<Shared>) -> Result<Started> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Bound here and not in the thread: who has called us may be a runtime himself, and cannot wait for one.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("no loopback port")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name("kube-api".into()).spawn(move || {
        runtime.block_on(async {
            let Ok(listener) = TcpListener::from_std(listener) else { return };
            tokio::select! {
                () = accept(listener, shared) => {}
                _ = stopped => {}
            }
        });
        // Connections that are still open are closed with the runtime.
    })?;
    Ok((address, stop, thread))
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, shared.clone()));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { respond(&shared, request).await.ok_or(Closed) }
    });
    // An error here is a client that went away, or a connection that we were told to close.
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = connection.with_upgrades().await;
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Closed {}

async fn respond(shared: &Arc<Shared>, request: Request<Incoming>) -> Option<Answer> {
    let uri = request.uri();
    let route = Route::parse(request.method(), uri.path(), uri.query().unwrap_or_default());
    if let Some(path) = forward::asked(&route) {
        return Some(change_over(shared, &route, path, request));
    }
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let body = Limited::new(body, MAX_BODY).collect().await.ok()?.to_bytes();
    let fault = shared.faults.take(&route);
    let answered = match &fault {
        Some(Fault::Close) => None,
        Some(Fault::Hang) => {
            shared.faults.healed().await;
            None
        }
        Some(Fault::Status(code, reason)) => {
            Some(Failure::new(*code, reason, "a fault was ordered").answer())
        }
        Some(Fault::Forbidden) => Some(forbidden(&route).answer()),
        Some(Fault::Garbage) => {
            let body = http_body_util::Full::new(Bytes::from_static(b"<html>\x00\xff"));
            Some(answer(200, "text/html", body.map_err(|never: Infallible| match never {}).boxed()))
        }
        Some(Fault::Slow(pause)) => {
            tokio::time::sleep(*pause).await;
            Some(handle(shared, &route, content_type, &body))
        }
        Some(Fault::Lost) | None => Some(handle(shared, &route, content_type, &body)),
    };
    shared.log(super::Request {
        verb: route.verb,
        resource: route.resource(),
        uri: head.uri.to_string(),
        content_type: content_type.to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        status: answered.as_ref().map_or(0, |answer| answer.status().as_u16()),
    });
    if fault == Some(Fault::Lost) { None } else { answered }
}

/// Since Kubernetes 1.35 a WebSocket takes two rights: that of its method, and the one to make the forwarding.
fn change_over(
    shared: &Arc<Shared>,
    route: &Route,
    path: &ResourcePath,
    request: Request<Incoming>,
) -> Answer {
    let uri = request.uri().to_string();
    let may = |rights: &mut super::rights::Rights| rights.allow(route) && rights.allow_creation(path);
    let is_allowed = shared.rights().as_mut().is_none_or(may);
    let answer = match is_allowed {
        true => forward::start(shared, route, path, request).unwrap_or_else(|failure| failure.answer()),
        false => forbidden(route).answer(),
    };
    let (verb, resource, status) = (route.verb, route.resource(), answer.status().as_u16());
    shared.log(super::Request {
        verb,
        resource,
        uri,
        content_type: String::new(),
        body: Value::Null,
        status,
    });
    answer
}

fn handle(shared: &Arc<Shared>, route: &Route, content_type: &str, body: &Bytes) -> Answer {
    if shared.rights().as_mut().is_some_and(|rights| !rights.allow(route)) {
        return forbidden(route).answer();
    }
    match &route.target {
        Target::Other(path) => shared.issuer.document(path).unwrap_or_else(|| discovery::other(path)),
        target @ Target::Discovery { .. } => discovery::answer(shared.store().kinds(), target),
        Target::Resource(path) => {
            resource(shared, route, path, content_type, body).unwrap_or_else(|failure| failure.answer())
        }
    }
}

fn resource(
    shared: &Arc<Shared>,
    route: &Route,
    path: &ResourcePath,
    content_type: &str,
    body: &Bytes,
) -> Result<Answer, Failure> {
    if path.group == "authentication.k8s.io" && path.plural == "tokenreviews" && route.verb == "create" {
        let review: Value = serde_json::from_slice(body).map_err(|e| Failure::bad_request(e.to_string()))?;
        return Ok(json_answer(201, &shared.tokens.review(review)));
    }
    let missing = || Failure::new(404, "NotFound", "the server could not find the requested resource");
    let served = shared
        .store()
        .kinds()
        .iter()
        .find(|kind| {
            kind.group == path.group && kind.plural == path.plural && kind.versions.contains(&path.version)
        })
        .cloned();
    let kind = served.ok_or_else(missing)?;
    if path.subresource.as_deref().is_some_and(|sub| sub != "status" || !kind.status) {
        return Err(missing());
    }
    let applies = route.verb == "patch" && content_type.starts_with("application/apply-patch");
    if applies && path.subresource.is_none() {
        let id = Id::new(
            &kind,
            path.namespace.as_deref().unwrap_or_default(),
            path.name.as_deref().unwrap_or_default(),
        );
        let is_there = shared.store().get(&id).is_some();
        if !is_there && shared.rights().as_mut().is_some_and(|rights| !rights.allow_creation(path)) {
            return Err(forbidden(route));
        }
    }
    if route.verb == "watch" {
        return watch::start(shared, &kind, route, path);
    }
    Rest { route, path, kind: &kind, content_type, body }.call(&mut shared.store())
}

fn forbidden(route: &Route) -> Failure {
    let (verb, resource) = (route.verb, route.resource());
    let message = match &route.target {
        Target::Resource(path) => {
            let place = path.namespace.as_ref().map_or_else(
                || "at the cluster scope".to_owned(),
                |namespace| format!("in the namespace {namespace:?}"),
            );
            let group = &path.group;
            format!(
                "{resource} is forbidden: User \"test\" cannot {verb} resource {resource:?} in API group {group:?} {place}"
            )
        }
        _ => format!("forbidden: User \"test\" cannot {verb}"),
    };
    Failure::new(403, "Forbidden", message)
}
