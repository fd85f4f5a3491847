//! One question on a connection of its own.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use weir_cluster::said::Answer;

/// Where to ask, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Question {
    /// The page
    pub(crate) url: Uri,
    /// A header, `name: value`
    #[arg(long, value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// How long the whole may take, milliseconds
    #[arg(long, default_value_t = 10_000, value_name = "MS")]
    limit: u64,
}

impl Question {
    /// The answer, whatever its status.
    pub(crate) async fn ask(&self) -> Result<Answer> {
        let limit = Duration::from_millis(self.limit);
        tokio::time::timeout(limit, self.exchange()).await.with_context(|| format!("late ({limit:?})"))?
    }

    async fn exchange(&self) -> Result<Answer> {
        let authority = self.url.authority().context("the URL has no host")?;
        let (host, port) = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
        let socket = TcpStream::connect((host, port)).await.context("connecting")?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::get(path).header(HOST, authority.as_str()).body(Empty::<Bytes>::new())?;
        request.headers_mut().extend(self.header.iter().cloned());
        let answer = sender.send_request(request).await.context("asking")?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.context("reading the answer")?.to_bytes();
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':').context("a header is `name: value`")?;
    Ok((name.trim().parse()?, value.trim().parse()?))
}
