//! A stream of a tunnel as a byte stream.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::core::life::GIVEN_UP;
use crate::io::tunnel::Lease;
use crate::io::window::{Stall, Window};

/// Reads until the peer's end; shutting it down is our end, and the other direction goes on.
///
/// Dropped before both ends, it is reset with a code that no peer takes for a clean end. The peer's reset is
/// [`io::ErrorKind::ConnectionReset`] for whoever reads or writes.
pub struct TunnelStream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// What came and was not read yet.
    rest: Bytes,
    stall: Stall,
    we_ended: bool,
    peer_ended: bool,
    /// The place in the pool's tunnel, if it is a client's.
    _lease: Option<Lease>,
}

impl TunnelStream {
    pub(super) fn new(
        send: SendStream<Bytes>,
        receive: RecvStream,
        window: Rc<Window>,
        lease: Option<Lease>,
    ) -> Self {
        Self {
            send,
            receive,
            rest: Bytes::new(),
            stall: Stall::new(window),
            we_ended: false,
            peer_ended: false,
            _lease: lease,
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() && !self.peer_ended {
            match self.receive.poll_data(cx) {
                Poll::Ready(Some(chunk)) => self.rest = chunk.map_err(reset)?,
                Poll::Ready(None) => self.peer_ended = true,
                Poll::Pending => {
                    // Whoever waits for us does not keep what others need.
                    self.stall.set(false);
                    return Poll::Pending;
                }
            }
        }
        self.stall.set(!self.peer_ended);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for TunnelStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_fill(cx))?;
        let n = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..n]);
        self.rest.advance(n);
        if n > 0 {
            self.receive.flow_control().release_capacity(n).map_err(reset)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TunnelStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.we_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.send.reserve_capacity(bytes.len());
        let capacity = match self.send.capacity() {
            0 => match ready!(self.send.poll_capacity(cx)) {
                Some(capacity) => capacity.map_err(reset)?,
                None => return Poll::Ready(Err(reset(Reason::STREAM_CLOSED.into()))),
            },
            capacity => capacity,
        };
        let n = capacity.min(bytes.len());
        self.send.send_data(Bytes::copy_from_slice(&bytes[..n]), false).map_err(reset)?;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The tunnel sends at the end of its turn.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.we_ended {
            self.we_ended = true;
            self.send.send_data(Bytes::new(), true).map_err(reset)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for TunnelStream {
    fn drop(&mut self) {
        if !(self.we_ended && self.peer_ended) {
            self.send.send_reset(GIVEN_UP);
        }
    }
}

fn reset(error: h2::Error) -> io::Error {
    match error.is_io() {
        true => error.into_io().unwrap_or_else(|| io::ErrorKind::ConnectionReset.into()),
        false => io::Error::new(io::ErrorKind::ConnectionReset, error),
    }
}
