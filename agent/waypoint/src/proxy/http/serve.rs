//! hyper's two servers, with time limits of our own: hyper's limit for a head counts the pause before it.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::debug;

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
    let service = service_fn(|request| exchange_boxed(&client, request));
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
        .max_send_buf_size(SEND_BUFFER);
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

type Answer = dyn Future<Output = Result<Response<ResponseBody>, Infallible>>;

enum End {
    Closed(hyper::Result<()>),
    /// The client began a head and did not end it in time.
    SlowHead,
}

/// Polls a connection until it ends; ends it gracefully when the worker drains or the client asks nothing for too long.
async fn drive(
    client: &Client,
    watch: Option<&Watch>,
    mut poll: impl FnMut(&mut Context<'_>, bool) -> Poll<hyper::Result<()>>,
) -> End {
    let mut draining = client.worker.draining();
    let mut drained = pin!(draining.wait_for(|draining| *draining));
    let mut timer = pin!(sleep_until(Instant::now() + client.worker.config.idle_time));
    let mut clock = Clock { client, watch, head_began: None };
    let mut ending = false;
    std::future::poll_fn(|cx| {
        loop {
            ending = ending || drained.as_mut().poll(cx).is_ready();
            if let Poll::Ready(ended) = poll(cx, ending) {
                return Poll::Ready(End::Closed(ended));
            }
            match clock.look(timer.as_mut(), cx) {
                Look::Wait => return Poll::Pending,
                Look::SlowHead => return Poll::Ready(End::SlowHead),
                Look::Idle if ending => return Poll::Pending,
                Look::Idle => ending = true,
            }
        }
    })
    .await
}

/// The two limits of a connection that nobody answers at this moment, with one timer that moves only when it must.
struct Clock<'a> {
    client: &'a Client,
    watch: Option<&'a Watch>,
    head_began: Option<Instant>,
}

enum Look {
    Wait,
    SlowHead,
    Idle,
}

impl Clock<'_> {
    fn look(&mut self, mut timer: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Look {
        let config = &self.client.worker.config;
        let in_head = self.watch.is_some_and(Watch::in_head);
        self.head_began = in_head.then(|| self.head_began.unwrap_or_else(Instant::now));
        let idle = self.client.idle_since();
        loop {
            let (end, look) = match (self.head_began, idle) {
                (Some(began), _) => (began + config.head_time, Look::SlowHead),
                (None, Some(since)) => (since + config.idle_time, Look::Idle),
                (None, None) => return Look::Wait,
            };
            // An end that is later than the timer is looked at when the timer is there.
            if end < timer.deadline() {
                timer.as_mut().reset(end);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Look::Wait;
            }
            if end <= Instant::now() {
                return look;
            }
            timer.as_mut().reset(end);
        }
    }
}

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
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What waits for a client's window, of each stream.
const SEND_BUFFER: usize = 64 * 1024;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);
