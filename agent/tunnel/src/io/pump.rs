//! Moves bytes one way: from a source, through a short queue, into a sink.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;

use super::buffer::CHUNK;

/// Why bytes stopped.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A TCP socket failed.
    App(io::Error),
    /// The stream or its tunnel failed.
    Peer(h2::Error),
    /// The peer answered CONNECT with something else than 200.
    Refused(StatusCode),
}

/// Where bytes come from.
pub(crate) trait Source {
    /// Chunks that are worth having before the sink is asked.
    const GATHER: usize;

    /// The next chunk; `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>>;

    /// The sink took `n` bytes: there may be more.
    fn delivered(&mut self, n: usize) -> Result<(), Fault>;
}

/// Where bytes go.
pub(crate) trait Sink {
    /// Takes from the front of the queue: how many bytes.
    fn poll_put(&mut self, cx: &mut Context<'_>, queue: &mut Queue) -> Poll<Result<usize, Fault>>;

    /// Says that no more will come.
    fn end(&mut self) -> Result<(), Fault>;
}

/// Chunks on their way.
pub(crate) type Queue = VecDeque<Bytes>;

/// One direction of a connection.
pub(crate) struct Pump<S, K> {
    pub(crate) source: S,
    pub(crate) sink: K,
    queue: Queue,
    queued: usize,
    ended: bool,
}

impl<S: Source, K: Sink> Pump<S, K> {
    pub(crate) fn new(source: S, sink: K) -> Self {
        Self { source, sink, queue: Queue::new(), queued: 0, ended: false }
    }

    /// Moves what can be moved. Ready when the source ended and the sink was told.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut count: impl FnMut(usize),
    ) -> Poll<Result<(), Fault>> {
        let mut moved = 0;
        loop {
            self.poll_gather(cx)?;
            if self.queue.is_empty() {
                if !self.ended {
                    return Poll::Pending;
                }
                return Poll::Ready(self.sink.end());
            }
            let n = ready!(self.sink.poll_put(cx, &mut self.queue))?;
            self.queued -= n;
            self.source.delivered(n)?;
            count(n);
            moved += n;
            // The tunnel's task takes its turn while the bytes are in the cache.
            if moved >= TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Whether the sink keeps the source from being read.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.queue.is_empty()
    }

    fn poll_gather(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        while !self.ended && self.queue.len() < S::GATHER && self.queued < CHUNK {
            match self.source.poll_next(cx)? {
                Poll::Ready(Some(chunk)) => {
                    self.queued += chunk.len();
                    if !chunk.is_empty() {
                        self.queue.push_back(chunk);
                    }
                }
                Poll::Ready(None) => self.ended = true,
                Poll::Pending => break,
            }
        }
        Ok(())
    }
}

/// Bytes that one direction moves before others get their turn.
const TURN: usize = CHUNK;
