//! The client: one order, one answer.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use http::header::HOST;
use http::{HeaderMap, Method, Request, Uri, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::call::{Call, Open};
use crate::frames::{Frames, whole};
use crate::serve::Local;

/// A request, or a call if it has messages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    pub(crate) url: String,
    pub(crate) host: Option<String>,
    method: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    http2: bool,
    /// So many, one after the other, over one connection.
    times: Option<usize>,
    pub(crate) messages: Option<Vec<String>>,
}

/// What a line says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Order {
    /// Gives an array of answers.
    Ask(Ask),
    /// A call that stays open.
    Open(Ask),
    /// One message more in it, and its answer.
    Say(String),
    /// No more messages; gives its end.
    Close,
}

/// Does what lines say, until they end.
pub(crate) async fn lines() -> Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut open: Option<Open> = None;
    while let Some(line) = lines.next_line().await? {
        let order = serde_json::from_str(&line).with_context(|| line.clone())?;
        let done = timeout(PATIENCE, obey(order, &mut open)).await.context("no answer in time");
        let answer =
            done.and_then(|done| done).unwrap_or_else(|error| json!({"error": format!("{error:#}")}));
        println!("{answer}");
    }
    Ok(())
}

async fn obey(order: Order, open: &mut Option<Open>) -> Result<Value> {
    let opened = "no call is open";
    match order {
        Order::Ask(ask) => ask.all().await,
        Order::Open(ask) => {
            *open = Some(Open::start(&ask).await?);
            Ok(json!({}))
        }
        Order::Say(text) => open.as_mut().context(opened)?.say(&text).await,
        Order::Close => open.take().context(opened)?.close().await,
    }
}

/// A connection on which requests are made.
pub(crate) enum Sender {
    Http1(hyper::client::conn::http1::SendRequest<Frames>),
    Http2(hyper::client::conn::http2::SendRequest<Frames>),
}

impl Ask {
    async fn all(&self) -> Result<Value> {
        let mut sender = self.connect().await?;
        let mut answers = Vec::new();
        for _ in 0..self.times.unwrap_or(1) {
            answers.push(match &self.messages {
                Some(messages) => Call::start(self, &mut sender).await?.all(messages).await?,
                None => self.one(&mut sender).await?,
            });
        }
        Ok(answers.into())
    }

    async fn one(&self, sender: &mut Sender) -> Result<Value> {
        let (head, body) = sender.send(self.request(whole(String::new()))?).await?.into_parts();
        let body = body.collect().await.context("reading the answer")?.to_bytes();
        let body: Value =
            serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
        Ok(json!({"status": head.status.as_u16(), "headers": text(&head.headers), "body": body}))
    }

    pub(crate) async fn connect(&self) -> Result<Sender> {
        let uri: Uri = self.url.parse()?;
        let authority = uri.authority().context("the URL has no host")?;
        let (host, port) = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
        let socket = TcpStream::connect((host, port)).await.context("connecting")?;
        socket.set_nodelay(true)?;
        let io = TokioIo::new(socket);
        if self.http2 || self.messages.is_some() {
            let (sender, connection) = hyper::client::conn::http2::handshake(Local, io).await?;
            spawn_local(connection);
            return Ok(Sender::Http2(sender));
        }
        let (sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        spawn_local(connection);
        Ok(Sender::Http1(sender))
    }

    /// The host is what was said, or the URL's; for HTTP/1 it is a header.
    pub(crate) fn request(&self, body: Frames) -> Result<Request<Frames>> {
        let uri: Uri = self.url.parse()?;
        let authority = uri.authority().context("the URL has no host")?.as_str();
        let host = self.host.as_deref().unwrap_or(authority);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let method = self.method.as_deref().map_or(Ok(Method::GET), str::parse)?;
        let mut request = Request::builder().method(method);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request = match self.http2 || self.messages.is_some() {
            true => request.version(Version::HTTP_2).uri(format!("http://{host}{path}")),
            false => request.uri(path).header(HOST, host),
        };
        Ok(request.body(body)?)
    }
}

impl Sender {
    pub(crate) async fn send(&mut self, request: Request<Frames>) -> Result<http::Response<Incoming>> {
        let answer = match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        };
        answer.context("asking")
    }
}

pub(crate) fn text(headers: &HeaderMap) -> Value {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), Value::from(text(value)))).collect()
}

/// For an order.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(15);
