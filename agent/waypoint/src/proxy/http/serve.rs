//! hyper's two servers.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::rc::Rc;

use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use tracing::debug;

use super::drive::{End, drive};
use super::{LocalSpawn, ResponseBody, exchange};
use crate::proxy::report::{Account, Flags};
use crate::proxy::serve::Client;
use crate::proxy::wire::{Gate, Stream, Watch};

/// HTTP/1, with upgrades.
pub(crate) async fn serve_http1(client: Rc<Client>, stream: Stream) {
    let (gate, watch) = Gate::new(stream);
    // Only one protocol is ever found out.
    let _ = client.watch.set(watch.clone());
    let max_head = client.worker.config.max_head;
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.header_read_timeout(None).max_header_size(max_head).max_buf_size(max_head + READ_AHEAD);
    let service = service_fn(|request| last_if_leaving(&client, exchange_boxed(&client, request)));
    let mut connection = builder.serve_connection(TokioIo::new(gate), service).with_upgrades();
    let mut told = false;
    let end = drive(&client, Some(&watch), |cx, end| {
        if end && !std::mem::replace(&mut told, true) {
            Pin::new(&mut connection).graceful_shutdown();
        }
        Pin::new(&mut connection).poll(cx)
    })
    .await;
    match end {
        End::Closed(ended) => finished(&client, Some(&watch), ended),
        End::SlowHead => {
            if let Some(parts) = connection.into_parts() {
                answer_slow_head(&client, parts.io.into_inner()).await;
            }
        }
    }
}

/// HTTP/2 with prior knowledge.
pub(crate) async fn serve_http2(client: Rc<Client>, stream: Stream) {
    let config = &client.worker.config;
    let mut builder = hyper::server::conn::http2::Builder::new(LocalSpawn);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.max_streams)
        .max_header_list_size(u32::try_from(config.max_head).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .enable_connect_protocol();
    let service = service_fn(|request| exchange_boxed(&client, request));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut told = false;
    let end = drive(&client, None, |cx, end| {
        if end && !std::mem::replace(&mut told, true) {
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    })
    .await;
    if let End::Closed(ended) = end {
        finished(&client, None, ended);
    }
}

/// A request is large while it lasts, and nothing when there is none.
fn exchange_boxed(client: &Rc<Client>, request: Request<Incoming>) -> Pin<Box<Answer>> {
    Box::pin(exchange(client.clone(), request))
}

/// Of HTTP/1: a client that is to go elsewhere is told so with its answer.
async fn last_if_leaving(
    client: &Client,
    answer: Pin<Box<Answer>>,
) -> Result<Response<ResponseBody>, Infallible> {
    let mut response = answer.await?;
    let is_http = !client.watch.get().is_some_and(Watch::lets_pass);
    if client.worker.is_leaving() && is_http {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

type Answer = dyn Future<Output = Result<Response<ResponseBody>, Infallible>>;

/// Says what was wrong with a client whose connection ended without a request to say it of.
fn finished(client: &Client, watch: Option<&Watch>, ended: hyper::Result<()>) {
    let Err(error) = ended else { return };
    let refused = watch.and_then(Watch::refused);
    debug!(client = %client.arrival.client, %error, ?refused, "a client's connection ended");
    if !(error.is_parse() || refused.is_some()) {
        return;
    }
    let mut account = Account::blank(&client.ledger);
    account.code = if error.is_parse_too_large() { 431 } else { 400 };
    account.flags |= Flags::DOWNSTREAM_PROTOCOL_ERROR;
    account.details = "http1.codec_error";
    account.reason = refused.map(|why| why.to_string());
}

async fn answer_slow_head(client: &Client, mut gate: Gate) {
    let mut account = Account::blank(&client.ledger);
    account.code = 408;
    account.flags |= Flags::DOWNSTREAM_PROTOCOL_ERROR;
    account.details = "request_header_timeout";
    // A client that is so slow to speak may be as slow to listen.
    let answer = async {
        gate.write_all(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await?;
        gate.shutdown().await
    };
    let _ = tokio::time::timeout(PATIENCE, answer).await;
}

/// Beside a head, what hyper may read ahead of the body.
const READ_AHEAD: usize = 64 * 1024;
/// What a client may send ahead of the backend's reading.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Of many streams that their backends do not read, so that they do not hold up the others.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// What waits for a client's window, of each stream.
const SEND_BUFFER: usize = 64 * 1024;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn size<A, B, F>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }

    /// One is there for each request, the others for each connection: what is large in them is large a thousand times.
    #[test]
    fn futures_stay_small() {
        assert!(size(exchange) < 9 * 1024, "a request: {}", size(exchange));
        assert!(size(serve_http1) < 2 * 1024, "HTTP/1: {}", size(serve_http1));
        assert!(size(serve_http2) < 4 * 1024, "HTTP/2: {}", size(serve_http2));
    }
}
