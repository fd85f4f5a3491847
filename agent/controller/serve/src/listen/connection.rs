//! A connection that came through its handshake.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;
use weir_process::Place;

use super::accept::Permits;
use crate::auth::Peer;

/// A connection as its requests see it.
#[derive(Clone)]
pub(crate) struct Link {
    /// Who is at its other end.
    pub(super) peer: Peer,
    proof: Arc<Proof>,
}

struct Proof {
    given: AtomicBool,
    /// Requests that were not let through, before one was.
    refusals: AtomicU32,
    most_refusals: u32,
    /// A connection counts among the unproven of its address for so long.
    place: Mutex<Option<Place>>,
}

impl Link {
    /// A request on the connection was let through: it may stay.
    pub(crate) fn prove(&self) {
        if !self.proof.given.swap(true, Ordering::Relaxed) {
            self.proof.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }

    /// A request on the connection was not let through. A client that has only bad tokens has no use of trying all day.
    pub(super) fn refuse(&self) {
        self.proof.refusals.fetch_add(1, Ordering::Relaxed);
    }
}

/// The bytes of a connection. They end when it has proved nothing for too long, or too often.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    link: Link,
    deadline: Option<Pin<Box<Sleep>>>,
    _open: OwnedSemaphorePermit,
}

impl Connection {
    pub(super) fn new(
        stream: TlsStream<TcpStream>,
        address: SocketAddr,
        permits: Permits,
        deadline: Instant,
        most_refusals: u32,
    ) -> Self {
        let peer = Peer::of(address, stream.get_ref().1);
        let proof = Proof {
            given: AtomicBool::new(false),
            refusals: AtomicU32::new(0),
            most_refusals,
            place: Mutex::new(Some(permits.place)),
        };
        Self {
            stream,
            link: Link { peer, proof: Arc::new(proof) },
            deadline: Some(Box::pin(sleep_until(deadline))),
            _open: permits.open,
        }
    }

    /// Whether the time for a proof, or the patience, is over without one.
    fn poll_expired(&mut self, context: &mut Context<'_>) -> bool {
        let proof = &self.link.proof;
        if proof.given.load(Ordering::Relaxed) {
            self.deadline = None;
        } else if proof.refusals.load(Ordering::Relaxed) >= proof.most_refusals {
            return true;
        }
        self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(context).is_ready())
    }
}

impl Connected for Connection {
    type ConnectInfo = Link;

    fn connect_info(&self) -> Link {
        self.link.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.poll_expired(context) {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "no request was let through in time, or of many",
            )));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
