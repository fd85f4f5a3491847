//! A tunnel's stream where one is asked for that may move between threads, though it never does.
//!
//! hyper's upgrades want their connection to be `Send`. A stream of a tunnel is not: it shares its tunnel with others of
//! its thread. So it stays in a table of the thread, and what is given away is its place.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::ThreadId;
use std::time::Duration;

use slab::Slab;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use weir_tunnel::gateway::TunnelStream;

use crate::proxy::Io;

/// The place of a stream.
pub(super) struct Local {
    place: usize,
    thread: ThreadId,
    we_ended: bool,
    aborted: bool,
}

thread_local! {
    static STREAMS: RefCell<Slab<TunnelStream>> = const { RefCell::new(Slab::new()) };
    static LINGERING: RefCell<Option<UnboundedSender<TunnelStream>>> = const { RefCell::new(None) };
}

impl Local {
    pub(super) fn new(stream: TunnelStream) -> Self {
        let place = STREAMS.with(|streams| streams.borrow_mut().insert(stream));
        Self { place, thread: std::thread::current().id(), we_ended: false, aborted: false }
    }

    fn with<T>(
        &self,
        poll: impl FnOnce(Pin<&mut TunnelStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if std::thread::current().id() != self.thread {
            return Poll::Ready(Err(io::Error::other("a stream of a tunnel has left its thread")));
        }
        STREAMS.with(|streams| match streams.borrow_mut().get_mut(self.place) {
            Some(stream) => poll(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        })
    }
}

/// Until the peer has ended too, a stream that we ended lingers: dropped at once it would be reset, and what is still on
/// its way to the client could be lost. To be run on each thread that has streams.
pub(super) async fn linger() {
    let (sender, mut streams) = unbounded_channel();
    LINGERING.set(Some(sender));
    while let Some(mut stream) = streams.recv().await {
        tokio::task::spawn_local(async move {
            let mut rest = [0; 1024];
            let read_all = async { while matches!(stream.read(&mut rest).await, Ok(1..)) {} };
            // Who does not end is reset.
            let _ = timeout(LINGER, read_all).await;
        });
    }
}

impl Io for Local {
    fn abort(&mut self) {
        self.aborted = true;
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if std::thread::current().id() != self.thread {
            return;
        }
        // At the end of the thread the tables may be gone, and with them the streams.
        let stream = STREAMS.try_with(|streams| streams.borrow_mut().try_remove(self.place));
        let Ok(Some(stream)) = stream else { return };
        if self.we_ended && !self.aborted {
            let _ = LINGERING.try_with(|lingering| {
                lingering.borrow().as_ref().map(|lingering| lingering.send(stream));
            });
        }
    }
}

impl AsyncRead for Local {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Local {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.we_ended = true;
        self.with(|stream| stream.poll_shutdown(cx))
    }
}

const LINGER: Duration = Duration::from_secs(5);
