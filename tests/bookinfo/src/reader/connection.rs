//! A reader's connection, of either version of HTTP.

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Request, Response, Uri, Version};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::PATIENCE;

pub(super) enum Connection {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

impl Connection {
    pub(super) async fn open(url: &Uri, is_http2: bool) -> Result<Self> {
        let authority = url.authority().context("the URL has no host")?;
        let (host, port) = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
        let socket = timeout(PATIENCE, TcpStream::connect((host, port))).await.context("connecting: late")?;
        let io = TokioIo::new(socket.context("connecting")?);
        if is_http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            spawn_local(connection);
            return Ok(Self::Http2(sender));
        }
        let (sender, connection) = http1::handshake(io).await?;
        spawn_local(connection);
        Ok(Self::Http1(sender))
    }

    /// Whether it takes another request: a server may close it between two.
    pub(super) async fn is_ready(&mut self) -> bool {
        match self {
            Self::Http1(sender) => sender.ready().await,
            Self::Http2(sender) => sender.ready().await,
        }
        .is_ok()
    }

    /// Gets the page. `None`: the connection was closed before anything of the request was sent.
    pub(super) async fn get(
        &mut self,
        url: &Uri,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Option<Response<Incoming>>> {
        let request = Request::get(url);
        let host = url.authority().map_or("", |authority| authority.as_str());
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let mut request = match self {
            Self::Http1(_) => Request::get(path).header(HOST, host),
            Self::Http2(_) => request.version(Version::HTTP_2),
        }
        .body(Empty::new())?;
        request.headers_mut().extend(headers.iter().cloned());
        let answer = match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        };
        match answer {
            Ok(response) => Ok(Some(response)),
            Err(error) if error.message().is_some() => Ok(None),
            Err(error) => match error.into_error() {
                error if was_told_to_go(&error) => Ok(None),
                error => Err(error).context("asking"),
            },
        }
    }
}

/// Whether the server had said, before the request came, that it takes no more on this connection: nothing was done for it (RFC 9113,
/// section 6.8), and any client asks again on another.
fn was_told_to_go(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    source.is_some_and(|error| {
        error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR)
    })
}
