//! Moves bytes one way: from a source, through a short queue, into a sink.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
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
    /// Whether what is there must be fetched although the sink is full: a source with a window of its own, whose
    /// chunks may be small pieces of large buffers.
    const HOARD: bool;

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
    /// Behind the queue: small chunks, copied together out of the buffers that they would keep.
    hoard: BytesMut,
    ended: bool,
}

impl<S: Source, K: Sink> Pump<S, K> {
    pub(crate) fn new(source: S, sink: K) -> Self {
        Self { source, sink, queue: Queue::new(), queued: 0, hoard: BytesMut::new(), ended: false }
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
            let Poll::Ready(put) = self.sink.poll_put(cx, &mut self.queue) else {
                self.hoard(cx)?;
                return Poll::Pending;
            };
            let n = put?;
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
        if self.queue.is_empty() {
            self.flush_hoard();
        }
        while !self.ended && self.hoard.is_empty() && self.queue.len() < S::GATHER && self.queued < CHUNK {
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

    /// The sink is full. The source's window limits what comes.
    fn hoard(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        while S::HOARD && !self.ended {
            match self.source.poll_next(cx)? {
                Poll::Ready(Some(chunk)) => {
                    self.queued += chunk.len();
                    if chunk.len() < SMALL {
                        self.hoard.extend_from_slice(&chunk);
                    } else {
                        self.flush_hoard();
                        self.queue.push_back(chunk);
                    }
                }
                Poll::Ready(None) => self.ended = true,
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    fn flush_hoard(&mut self) {
        if !self.hoard.is_empty() {
            self.queue.push_back(std::mem::take(&mut self.hoard).freeze());
        }
    }
}

/// A chunk that is copied rather than kept where it is while the sink is full.
const SMALL: usize = 4096;
/// Bytes that one direction moves before others get their turn.
const TURN: usize = CHUNK;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A hundred times a large chunk and ten small ones, all pieces of buffers that `kept` counts.
    struct Pieces {
        given: usize,
        kept: Arc<()>,
    }

    struct Counted(Vec<u8>, #[expect(dead_code, reason = "it is counted")] Arc<()>);

    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Source for Pieces {
        const GATHER: usize = 16;
        const HOARD: bool = true;

        fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
            if self.given == 1100 {
                return Poll::Ready(Ok(None));
            }
            let buffer = Bytes::from_owner(Counted(vec![self.given as u8; 8192], self.kept.clone()));
            let len = if self.given.is_multiple_of(11) { 8192 } else { 1 };
            self.given += 1;
            Poll::Ready(Ok(Some(buffer.slice(..len))))
        }

        fn delivered(&mut self, _: usize) -> Result<(), Fault> {
            Ok(())
        }
    }

    struct Door {
        open: bool,
        took: Vec<u8>,
    }

    impl Sink for Door {
        fn poll_put(&mut self, _: &mut Context<'_>, queue: &mut Queue) -> Poll<Result<usize, Fault>> {
            if !self.open {
                return Poll::Pending;
            }
            let chunk = queue.pop_front().unwrap_or_default();
            self.took.extend_from_slice(&chunk);
            Poll::Ready(Ok(chunk.len()))
        }

        fn end(&mut self) -> Result<(), Fault> {
            Ok(())
        }
    }

    #[test]
    fn what_waits_keeps_no_large_buffers_and_comes_out_in_order() {
        let kept = Arc::new(());
        let source = Pieces { given: 0, kept: kept.clone() };
        let mut pump = Pump::new(source, Door { open: false, took: Vec::new() });
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        assert!(pump.poll(cx, |_| ()).is_pending());
        // The large chunks, what was gathered before the sink was full, the source's own.
        assert!(Arc::strong_count(&kept) <= 100 + 16 + 2, "{}", Arc::strong_count(&kept));
        pump.sink.open = true;
        while pump.poll(cx, |_| ()).is_pending() {}
        let expected: Vec<u8> = (0..1100_usize)
            .flat_map(|i| vec![i as u8; if i.is_multiple_of(11) { 8192 } else { 1 }])
            .collect();
        assert!(pump.sink.took == expected);
        assert_eq!(pump.queued, 0);
    }
}
