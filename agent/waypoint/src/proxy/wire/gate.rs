//! Between a client's socket and hyper's HTTP/1 reader: nothing that can be read in two ways gets past.
//!
//! What is refused is turned into a byte that no head may have (NUL), with the end of the head and of the stream behind it
//! (hyper reads no head before its end): so hyper answers with its 400 in the right place, after the answers to what was
//! asked before, and closes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::early::{Early, Turn};
use super::farewell::Farewell;
use super::framing::{Ambiguity, Framing};
use super::io::{Io, Stream, read_new, write_through};

/// A client's connection, watched.
pub(crate) struct Gate {
    inner: Stream,
    framing: Framing,
    /// What hyper is told in the place of what was refused.
    poison: Option<&'static [u8]>,
    watch: Watch,
    /// The client has said that this is all.
    ended: bool,
    /// All that hyper has written so far is gone.
    flushed: bool,
    farewell: Farewell,
}

/// What the one who serves the connection and its [`Gate`] tell each other. (hyper wants a stream that can be sent
/// to other threads, so this is not an `Rc`.)
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Shared>);

#[derive(Default)]
pub(super) struct Shared {
    /// Another protocol is spoken from here on: nothing is held against anything.
    foreign: AtomicBool,
    in_head: AtomicBool,
    /// What was refused: 0 nothing, otherwise its place in [`REASONS`] and 1.
    refused: AtomicU8,
    abort: AtomicBool,
    pub(super) early: Early,
}

impl Watch {
    /// A try of the request that is being answered may send interim responses.
    pub(crate) fn turn(&self) -> Turn {
        Turn::new(self.0.clone())
    }

    /// The connection is upgraded.
    pub(crate) fn let_pass(&self) {
        self.0.foreign.store(true, Ordering::Relaxed);
    }

    /// The connection was upgraded.
    pub(crate) fn lets_pass(&self) -> bool {
        self.0.foreign.load(Ordering::Relaxed)
    }

    /// The client has begun a head and not ended it.
    pub(crate) fn in_head(&self) -> bool {
        self.0.in_head.load(Ordering::Relaxed)
    }

    /// What was wrong with what the client sent.
    pub(crate) fn refused(&self) -> Option<Ambiguity> {
        REASONS.get(usize::from(self.0.refused.load(Ordering::Relaxed)).checked_sub(1)?).copied()
    }

    /// When the connection is closed, it is reset: what was sent is not all.
    pub(crate) fn abort(&self) {
        self.0.abort.store(true, Ordering::Relaxed);
    }

    fn refuse(&self, why: Ambiguity) {
        let place = REASONS.iter().position(|r| *r == why).unwrap_or(0);
        self.0.refused.store(place as u8 + 1, Ordering::Relaxed);
    }
}

const REASONS: [Ambiguity; 8] = [
    Ambiguity::BareLineFeed,
    Ambiguity::Folded,
    Ambiguity::SeveralLengths,
    Ambiguity::Length,
    Ambiguity::LengthAndEncoding,
    Ambiguity::Encoding,
    Ambiguity::Lookalike,
    Ambiguity::Chunk,
];

impl Gate {
    pub(crate) fn new(inner: Stream) -> (Self, Watch) {
        let watch = Watch::default();
        (
            Self {
                inner,
                framing: Framing::default(),
                poison: None,
                watch: watch.clone(),
                ended: false,
                flushed: true,
                farewell: Farewell::default(),
            },
            watch,
        )
    }

    fn look(&mut self, buf: &mut ReadBuf<'_>, from: usize) {
        if self.watch.0.foreign.load(Ordering::Relaxed) {
            return;
        }
        if let Err((at, why)) = self.framing.feed(&buf.filled()[from..]) {
            buf.filled_mut()[from + at] = 0;
            buf.set_filled(from + at + 1);
            self.poison = Some(b"\r\n\r\n");
            self.watch.refuse(why);
        }
        self.watch.0.in_head.store(self.framing.in_head(), Ordering::Relaxed);
    }
}

impl AsyncRead for Gate {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        if let Some(poison) = &mut this.poison {
            let (now, later) = poison.split_at(poison.len().min(buf.remaining()));
            buf.put_slice(now);
            *poison = later;
            return Poll::Ready(Ok(()));
        }
        read_new(&mut this.inner, cx, buf).map_ok(|from| {
            this.ended = buf.filled().len() == from;
            this.look(buf, from);
        })
    }
}

impl AsyncWrite for Gate {
    write_through!(|this, cx| {
        if std::mem::take(&mut this.flushed) && this.watch.0.early.is_waiting() {
            this.flushed = true;
            ready!(this.watch.0.early.poll_write(&mut this.inner, cx))?;
            this.flushed = false;
        }
    });

    /// Comes when hyper has nothing left to write: between two of its messages.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        this.flushed = true;
        if this.watch.0.early.is_waiting() {
            ready!(this.watch.0.early.poll_write(&mut this.inner, cx))?;
        }
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let unfinished = this.poison.is_some() || !this.framing.is_between();
        let waits = unfinished && !this.ended && !this.watch.0.abort.load(Ordering::Relaxed);
        this.farewell.poll(&mut this.inner, cx, waits)
    }
}

impl Io for Gate {
    fn abort(&mut self) {
        self.inner.abort();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if self.watch.0.abort.load(Ordering::Relaxed) {
            self.inner.abort();
        }
    }
}
