//! Moves bytes one way: from a source, through a short queue, into a sink.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use http::StatusCode;
use smallvec::SmallVec;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::buffer::{Buffer, CHUNK};
use super::tcp;

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

/// Reads a socket. A buffer is taken only when the socket has something.
pub(crate) struct TcpSource<'a>(pub(crate) &'a TcpStream);

impl Source for TcpSource<'_> {
    const GATHER: usize = 1;

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        loop {
            ready!(self.0.poll_read_ready(cx)).map_err(Fault::App)?;
            let mut buffer = Buffer::take();
            match tcp::try_read(self.0, &mut buffer[..CHUNK]) {
                Ok(0) => return Poll::Ready(Ok(None)),
                Ok(n) => return Poll::Ready(Ok(Some(buffer.into_bytes(n)))),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(Fault::App(e))),
            }
        }
    }

    fn delivered(&mut self, _: usize) -> Result<(), Fault> {
        Ok(())
    }
}

/// Writes a socket.
pub(crate) struct TcpSink<'a> {
    socket: &'a TcpStream,
    /// The runtime has not heard of the socket's readiness yet, and waits before the first write. A socket
    /// that was just connected has room.
    fresh: bool,
}

impl<'a> TcpSink<'a> {
    pub(crate) fn new(socket: &'a TcpStream) -> Self {
        Self { socket, fresh: true }
    }
}

impl Sink for TcpSink<'_> {
    fn poll_put(&mut self, cx: &mut Context<'_>, queue: &mut Queue) -> Poll<Result<usize, Fault>> {
        loop {
            let slices: SmallVec<[IoSlice<'_>; 16]> = queue.iter().map(|chunk| IoSlice::new(chunk)).collect();
            let written = match std::mem::take(&mut self.fresh) {
                true => SockRef::from(self.socket).send_vectored(&slices),
                false => tcp::try_write_vectored(self.socket, &slices),
            };
            match written {
                Ok(n) => {
                    drop(slices);
                    take(queue, n);
                    return Poll::Ready(Ok(n));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_write_ready(cx)).map_err(Fault::App)?;
                }
                Err(e) => return Poll::Ready(Err(Fault::App(e))),
            }
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        let socket = SockRef::from(self.socket);
        socket.shutdown(std::net::Shutdown::Write).map_err(Fault::App)
    }
}

/// Reads a stream. Its window opens again as the other side takes the bytes.
pub(crate) enum StreamSource {
    /// The peer has not answered yet.
    Awaiting(h2::client::ResponseFuture),
    /// The peer's bytes.
    Open(RecvStream),
}

impl Source for StreamSource {
    const GATHER: usize = 16;

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        loop {
            match self {
                Self::Awaiting(answer) => {
                    use std::pin::Pin;
                    let answer = ready!(Pin::new(answer).poll(cx)).map_err(Fault::Peer)?;
                    if answer.status() != StatusCode::OK {
                        return Poll::Ready(Err(Fault::Refused(answer.status())));
                    }
                    *self = Self::Open(answer.into_body());
                }
                Self::Open(stream) => {
                    let chunk = ready!(stream.poll_data(cx)).transpose();
                    return Poll::Ready(chunk.map_err(Fault::Peer));
                }
            }
        }
    }

    fn delivered(&mut self, n: usize) -> Result<(), Fault> {
        match self {
            Self::Awaiting(_) => Ok(()),
            Self::Open(stream) => {
                let window = stream.flow_control();
                window.release_capacity(n).map_err(Fault::Peer)
            }
        }
    }
}

/// Writes a stream, as much as its window and its share of the tunnel's memory allow.
pub(crate) struct StreamSink {
    pub(crate) stream: SendStream<Bytes>,
    /// Bytes that may be written before the stream has a window. h2 gives it one only when the request has
    /// left, but keeps what is written before and sends it with the request.
    credit: usize,
}

impl StreamSink {
    pub(crate) fn new(stream: SendStream<Bytes>) -> Self {
        Self { stream, credit: EARLY }
    }
}

impl Sink for StreamSink {
    fn poll_put(&mut self, cx: &mut Context<'_>, queue: &mut Queue) -> Poll<Result<usize, Fault>> {
        let Some(chunk) = queue.front_mut() else {
            return Poll::Ready(Ok(0));
        };
        let n = loop {
            self.stream.reserve_capacity(chunk.len());
            match self.stream.capacity() {
                0 if self.credit > 0 => break self.credit.min(chunk.len()),
                0 => match ready!(self.stream.poll_capacity(cx)) {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Poll::Ready(Err(Fault::Peer(error))),
                    None => {
                        let closed = Reason::STREAM_CLOSED.into();
                        return Poll::Ready(Err(Fault::Peer(closed)));
                    }
                },
                capacity => break capacity.min(chunk.len()),
            }
        };
        let part = chunk.split_to(n);
        if chunk.is_empty() {
            queue.pop_front();
        }
        self.credit = 0;
        self.stream.send_data(part, false).map_err(Fault::Peer)?;
        Poll::Ready(Ok(n))
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.stream.send_data(Bytes::new(), true).map_err(Fault::Peer)
    }
}

fn take(queue: &mut Queue, mut n: usize) {
    while let Some(chunk) = queue.front_mut() {
        if n < chunk.len() {
            chunk.advance(n);
            return;
        }
        n -= chunk.len();
        queue.pop_front();
    }
}

/// As much as fits any peer's first window.
const EARLY: usize = 16 * 1024;
/// Bytes that one direction moves before others get their turn.
const TURN: usize = CHUNK;
