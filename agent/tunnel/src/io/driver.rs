//! The task of a tunnel: HTTP/2 and TLS in turns, and the PING that finds out whether the peer is there.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::{Ping, PingPong, RecvStream, client, server};
use http::Request;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::tls::TlsStream;
use super::window::Window;
use crate::Config;

/// Why a tunnel ended before its time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("{0}")]
    Http2(#[from] h2::Error),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("no answer to PING within {0:?}")]
    Silent(Duration),
}

/// One end's half of HTTP/2.
pub(crate) trait Http2 {
    /// Does what can be done. Ready when the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>>;

    /// What the peer may send on all streams.
    fn set_window(&mut self, size: u32);
}

impl Http2 for client::Connection<TlsStream, Bytes> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        Future::poll(Pin::new(self), cx)
    }

    fn set_window(&mut self, size: u32) {
        self.set_target_window_size(size);
    }
}

/// The server's half: hands requests out, and refuses new ones once it is told to drain.
pub(crate) struct Serving<F> {
    pub(crate) connection: server::Connection<TlsStream, Bytes>,
    pub(crate) on_request: F,
    pub(crate) drain: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl<F> Http2 for Serving<F>
where
    F: FnMut(Request<RecvStream>, server::SendResponse<Bytes>),
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        let drain = self.drain.as_mut();
        if drain.is_some_and(|d| d.as_mut().poll(cx).is_ready()) {
            self.drain = None;
            self.connection.graceful_shutdown();
        }
        while let Poll::Ready(next) = self.connection.poll_accept(cx) {
            let Some((request, respond)) = next.transpose()? else {
                return Poll::Ready(Ok(()));
            };
            (self.on_request)(request, respond);
        }
        Poll::Pending
    }

    fn set_window(&mut self, size: u32) {
        self.connection.set_target_window_size(size);
    }
}

/// Runs a tunnel until it is over.
///
/// # Errors
/// It was lost: the peer went away or broke the protocol.
pub(crate) async fn drive(
    tls: TlsStream,
    mut http: impl Http2,
    mut keepalive: Keepalive,
    window: Rc<Window>,
) -> Result<(), Lost> {
    let result = std::future::poll_fn(|cx| {
        tls.start_turn();
        loop {
            if let Some(size) = window.poll_resize(cx) {
                http.set_window(size);
            }
            let over = http.poll(cx);
            let pinged = keepalive.poll(cx)?;
            // All frames of this turn leave at once.
            let again = match tls.poll_send(cx)? {
                Poll::Ready(again) => again,
                Poll::Pending => false,
            };
            if let Poll::Ready(result) = over {
                return Poll::Ready(result.map_err(Lost::from));
            }
            if !pinged && !again {
                return Poll::Pending;
            }
        }
    })
    .await;
    tls.close();
    result
}

/// PINGs a peer that is silent or not: an answer is also due from a peer that only sends.
pub(crate) struct Keepalive {
    ping: Option<PingPong>,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
    interval: Duration,
    limit: Duration,
}

impl Keepalive {
    pub(crate) fn new(ping: Option<PingPong>, config: &Config) -> Self {
        let (interval, limit) = (config.ping_interval, config.ping_timeout);
        let timer = Box::pin(tokio::time::sleep(interval));
        Self { ping, timer, waiting: false, interval, limit }
    }

    /// `true` if a PING is to be sent.
    fn poll(&mut self, cx: &mut Context<'_>) -> Result<bool, Lost> {
        let Some(ping) = &mut self.ping else {
            return Ok(false);
        };
        if self.waiting && ping.poll_pong(cx).is_ready() {
            self.waiting = false;
            self.timer.as_mut().reset(Instant::now() + self.interval);
        }
        if self.timer.as_mut().poll(cx).is_pending() {
            return Ok(false);
        }
        if self.waiting {
            return Err(Lost::Silent(self.limit));
        }
        // A connection that is over says so itself.
        self.waiting = ping.send_ping(Ping::opaque()).is_ok();
        self.timer.as_mut().reset(Instant::now() + self.limit);
        let _ = self.timer.as_mut().poll(cx);
        let _ = ping.poll_pong(cx);
        Ok(self.waiting)
    }
}
