//! Copies bytes between two connections, with truthful ends: an end of one direction is passed on and the other goes on
//! (half-close), a failure of one side is an abort of the other.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use crate::proxy::report::Meter;
use crate::proxy::wire::Stream;

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Both sides have said that this is all.
    Closed,
    /// One side failed; the other was aborted.
    Broken { by_client: bool, error: io::Error },
    /// Nothing came from either for too long.
    Idle,
}

/// Copies until both directions have ended. `observe` is called each time something moved.
pub(crate) async fn copy(
    mut client: Stream,
    mut server: Stream,
    received: &Meter,
    sent: &Meter,
    idle: Duration,
    mut observe: impl FnMut(&mut Context<'_>),
) -> Ended {
    let (mut up, mut down) = (Direction::default(), Direction::default());
    let mut moved = Instant::now();
    let mut timer = std::pin::pin!(sleep_until(moved + idle));
    let ended = std::future::poll_fn(|cx| {
        let before = received.bytes() + sent.bytes();
        let both =
            [up.poll(cx, &mut client, &mut server, received), down.poll(cx, &mut server, &mut client, sent)];
        if received.bytes() + sent.bytes() != before {
            moved = Instant::now();
        }
        observe(cx);
        match both {
            [Poll::Ready(Err((reading, error))), _] => {
                return Poll::Ready(Ended::Broken { by_client: reading, error });
            }
            [_, Poll::Ready(Err((reading, error)))] => {
                return Poll::Ready(Ended::Broken { by_client: !reading, error });
            }
            [Poll::Ready(Ok(())), Poll::Ready(Ok(()))] => return Poll::Ready(Ended::Closed),
            _ => {}
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= moved + idle {
                return Poll::Ready(Ended::Idle);
            }
            timer.as_mut().reset(moved + idle);
        }
        Poll::Pending
    })
    .await;
    if !matches!(ended, Ended::Closed) {
        client.abort();
        server.abort();
    }
    ended
}

/// One way.
#[derive(Default)]
struct Direction {
    /// What was read and not taken yet; without memory as long as the other side keeps up.
    left: BytesMut,
    ended: bool,
    flushed: bool,
    shut: bool,
}

/// Whether it was reading that failed, and how.
type Failed = (bool, io::Error);

impl Direction {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
        meter: &Meter,
    ) -> Poll<Result<(), Failed>> {
        for _ in 0..BURST {
            if !self.left.is_empty() {
                let written =
                    ready!(Pin::new(&mut *to).poll_write(cx, &self.left)).map_err(|e| (false, e))?;
                self.wrote(written)?;
                continue;
            }
            if self.ended {
                return self.poll_end(cx, to);
            }
            match self.poll_read(cx, from, to, meter) {
                Poll::Ready(read) => read?,
                Poll::Pending => {
                    ready!(self.poll_flush(cx, to))?;
                    return Poll::Pending;
                }
            }
        }
        // Others on this thread have their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads into memory that all connections of the thread share; keeps what the other side does not take at once.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
        meter: &Meter,
    ) -> Poll<Result<(), Failed>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(from).poll_read(cx, &mut buffer)).map_err(|e| (true, e))?;
            let bytes = buffer.filled();
            meter.add(bytes.len());
            self.flushed = false;
            if bytes.is_empty() {
                self.ended = true;
                return Poll::Ready(Ok(()));
            }
            let written = match Pin::new(to).poll_write(cx, bytes) {
                Poll::Ready(written) => written.map_err(|e| (false, e))?,
                Poll::Pending => 0,
            };
            self.left.extend_from_slice(&bytes[written..]);
            Poll::Ready(Ok(()))
        })
    }

    fn wrote(&mut self, count: usize) -> Result<(), Failed> {
        if count == 0 {
            return Err((false, io::ErrorKind::WriteZero.into()));
        }
        self.left.advance(count);
        if self.left.is_empty() {
            self.left = BytesMut::new();
        }
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, to: &mut Stream) -> Poll<Result<(), Failed>> {
        if !self.flushed {
            ready!(Pin::new(to).poll_flush(cx)).map_err(|e| (false, e))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>, to: &mut Stream) -> Poll<Result<(), Failed>> {
        if !self.shut {
            match ready!(Pin::new(to).poll_shutdown(cx)) {
                // Whoever has gone has heard the end too.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                other => other.map_err(|e| (false, e))?,
            }
            self.shut = true;
        }
        Poll::Ready(Ok(()))
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

/// Reads in a row before others have their turn.
const BURST: usize = 16;
