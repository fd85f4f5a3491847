//! A connection, whatever carries it.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

/// What bytes come from and go to: a socket, or a stream of a tunnel.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {
    /// Makes the coming close an abort (a reset), so that the peer does not take what was cut off for complete.
    fn abort(&mut self);
}

/// A connection that somebody owns. One virtual call for a read or a write is nothing beside the system call.
pub type Stream = Box<dyn Io>;

impl Io for TcpStream {
    fn abort(&mut self) {
        // It fails on a socket that is closed already, which is what was wanted.
        let _ = self.set_zero_linger();
    }
}

impl Io for DuplexStream {
    fn abort(&mut self) {}
}

impl Io for Stream {
    fn abort(&mut self) {
        (**self).abort();
    }
}

/// Hands on what only delegates: reads are the wrapper's own business.
macro_rules! write_through {
    () => {
        write_through!(|_this, _cx| {});
        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Pin::new(&mut self.get_mut().inner).poll_flush(cx)
        }
    };
    // With something to do before each write.
    (|$this:ident, $cx:ident| $before:block) => {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            let ($this, $cx) = (self.get_mut(), cx);
            $before
            Pin::new(&mut $this.inner).poll_write($cx, bytes)
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            slices: &[std::io::IoSlice<'_>],
        ) -> Poll<std::io::Result<usize>> {
            let ($this, $cx) = (self.get_mut(), cx);
            $before
            Pin::new(&mut $this.inner).poll_write_vectored($cx, slices)
        }

        fn is_write_vectored(&self) -> bool {
            self.inner.is_write_vectored()
        }
    };
}
pub(super) use write_through;

/// The end is passed on as it is.
macro_rules! shut_through {
    () => {
        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
        }
    };
}
pub(super) use shut_through;

/// Reads into `buf` and says which part is new.
pub(super) fn read_new<T: AsyncRead + Unpin>(
    inner: &mut T,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<std::io::Result<usize>> {
    let before = buf.filled().len();
    Pin::new(inner).poll_read(cx, buf).map_ok(|()| before)
}
