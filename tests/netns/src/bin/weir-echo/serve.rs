//! The server.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use http::header::{CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

use crate::frames::{Frames, Messages, Writer, frames, whole};

/// Serves at all of them, for ever.
pub(crate) async fn serve(name: &str, at: &[SocketAddr]) -> Result<()> {
    let name: Rc<str> = name.into();
    for at in at {
        let listener = TcpListener::bind(at).await.with_context(|| format!("listening on {at}"))?;
        spawn_local(accept(listener, name.clone()));
    }
    std::future::pending().await
}

async fn accept(listener: TcpListener, name: Rc<str>) {
    loop {
        match listener.accept().await {
            // A client that goes away in the middle is its own business.
            Ok((socket, _)) => drop(spawn_local(connection(socket, name.clone()))),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(socket: TcpStream, name: Rc<str>) -> Result<()> {
    let handler = service_fn(move |request| {
        let name = name.clone();
        async move { Ok::<_, Infallible>(answer(&name, request).await) }
    });
    socket.set_nodelay(true)?;
    let mut first = [0; 3];
    let is_http2 = loop {
        match socket.peek(&mut first).await? {
            0 => return Ok(()),
            count if !b"PRI".starts_with(&first[..count]) => break false,
            3 => break true,
            _ => tokio::task::yield_now().await,
        }
    };
    let io = TokioIo::new(socket);
    if is_http2 {
        hyper::server::conn::http2::Builder::new(Local).serve_connection(io, handler).await?;
    } else {
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).serve_connection(io, handler).await?;
    }
    Ok(())
}

async fn answer(name: &str, request: Request<Incoming>) -> Response<Frames> {
    let (head, body) = request.into_parts();
    let asked = asked(name, &head);
    let is_call = |kind: &HeaderValue| kind.as_bytes().starts_with(b"application/grpc");
    if !head.headers.get(CONTENT_TYPE).is_some_and(is_call) {
        return Response::new(whole(asked.to_string()));
    }
    let (writer, frames) = frames();
    let kind = head.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    spawn_local(async move {
        let status = call(&kind, &asked, Messages::of(body), &writer).await.unwrap_or(INTERNAL);
        let trailers = [("grpc-status".parse(), status.parse())];
        let trailers = trailers.into_iter().filter_map(|(name, value)| Some((name.ok()?, value.ok()?)));
        writer.trailers(HeaderMap::from_iter(trailers));
    });
    let mut response = Response::new(frames);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// Answers the messages of a call, and gives its status.
async fn call(kind: &str, asked: &Value, mut messages: Messages, writer: &Writer) -> Result<&'static str> {
    let reply = |said: &str| {
        let mut reply = asked.clone();
        reply["said"] = said.into();
        writer.message(&reply.to_string());
    };
    if kind == "Bidi" {
        while let Some(message) = messages.next().await? {
            reply(&message);
        }
        return Ok(OK);
    }
    let mut all = Vec::new();
    while let Some(message) = messages.next().await? {
        all.push(message);
    }
    match kind {
        "Unary" | "Client" => reply(&all.join(",")),
        "Server" => {
            let count: u32 = all.concat().parse()?;
            (0..count).for_each(|n| reply(&n.to_string()));
        }
        _ => return Ok(UNIMPLEMENTED),
    }
    Ok(OK)
}

fn asked(name: &str, head: &Parts) -> Value {
    let mut headers = BTreeMap::<&str, String>::new();
    for (name, value) in &head.headers {
        let text = String::from_utf8_lossy(value.as_bytes());
        let all = headers.entry(name.as_str()).or_default();
        *all = if all.is_empty() { text.into_owned() } else { format!("{all},{text}") };
    }
    let host = head.uri.authority().map(|authority| authority.as_str());
    let host = host.or_else(|| head.headers.get(HOST)?.to_str().ok());
    let path = head.uri.path_and_query().map(|path| path.as_str());
    json!({"name": name, "method": head.method.as_str(), "path": path, "host": host, "headers": headers})
}

/// For a server whose answers are not `Send`.
#[derive(Clone, Copy)]
pub(crate) struct Local;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, work: F) {
        spawn_local(work);
    }
}

// https://grpc.github.io/grpc/core/md_doc_statuscodes.html
const OK: &str = "0";
const UNIMPLEMENTED: &str = "12";
const INTERNAL: &str = "13";
