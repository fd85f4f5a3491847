//! What bytes come from and go to: an application's socket, a stream of a tunnel.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use http::StatusCode;
use smallvec::SmallVec;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::buffer::{Buffer, CHUNK};
use super::pump::{Fault, Queue, Sink, Source};
use super::tcp;

/// Reads a socket. A buffer is taken only when the socket has something.
pub(crate) struct TcpSource<'a>(pub(crate) &'a TcpStream);

impl Source for TcpSource<'_> {
    const GATHER: usize = 1;
    const HOARD: bool = false;

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
            let slices: SmallVec<[IoSlice<'_>; SLICES]> =
                queue.iter().take(SLICES).map(|chunk| IoSlice::new(chunk)).collect();
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
    const GATHER: usize = SLICES;
    const HOARD: bool = true;

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        loop {
            match self {
                Self::Awaiting(answer) => {
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

/// Chunks that one system call writes.
const SLICES: usize = 16;
/// As much as fits any peer's first window.
const EARLY: usize = 16 * 1024;
