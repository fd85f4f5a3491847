//! Looks at a client's first bytes and puts them back.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::io::{Io, Stream, shut_through, write_through};

/// A stream whose first bytes have been read already.
pub(crate) struct Prefixed {
    prefix: Bytes,
    inner: Stream,
}

/// How long a client is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Before it says anything.
    pub(crate) first: Duration,
    /// From its first byte on.
    pub(crate) rest: Duration,
}

/// What came of looking.
pub(crate) struct Peeked<T> {
    /// What was read, all of it.
    pub(crate) bytes: BytesMut,
    pub(crate) verdict: Verdict<T>,
}

/// Why no more was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict<T> {
    Known(T),
    /// The client sent too little in time, or nothing at all.
    Late,
    /// The client has sent all that it will.
    End,
    /// Nothing was clear after as many bytes as may be looked at.
    Full,
}

/// Reads until `decide` knows, the time is over, or there are [`LONGEST`] bytes.
///
/// # Errors
/// The connection failed.
pub(crate) async fn peek<T>(
    stream: &mut Stream,
    mut bytes: BytesMut,
    patience: Patience,
    decide: impl Fn(&[u8]) -> Option<T>,
) -> std::io::Result<Peeked<T>> {
    let first = if bytes.is_empty() { patience.first } else { patience.rest };
    let mut deadline = Instant::now() + first;
    loop {
        if let Some(known) = decide(&bytes) {
            return Ok(Peeked { bytes, verdict: Verdict::Known(known) });
        }
        if bytes.len() >= LONGEST {
            return Ok(Peeked { bytes, verdict: Verdict::Full });
        }
        let before = bytes.len();
        match tokio::time::timeout_at(deadline, stream.read_buf(&mut bytes)).await {
            Err(_) => return Ok(Peeked { bytes, verdict: Verdict::Late }),
            Ok(read) => {
                if read? == 0 {
                    return Ok(Peeked { bytes, verdict: Verdict::End });
                }
            }
        }
        if before == 0 {
            deadline = Instant::now() + patience.rest;
        }
    }
}

/// A request line may be long, and a hello too, with the heads of its records.
const LONGEST: usize = 18 * 1024;

impl Prefixed {
    /// `prefix` is read first. A stream without one is handed back as it is.
    pub(crate) fn put_back(prefix: BytesMut, inner: Stream) -> Stream {
        if prefix.is_empty() { inner } else { Box::new(Self { prefix: prefix.freeze(), inner }) }
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        if this.prefix.is_empty() {
            return Pin::new(&mut this.inner).poll_read(cx, buf);
        }
        let count = this.prefix.len().min(buf.remaining());
        buf.put_slice(&this.prefix[..count]);
        this.prefix.advance(count);
        if this.prefix.is_empty() {
            // The memory goes with the last byte.
            this.prefix = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prefixed {
    write_through!();
    shut_through!();
}

impl Io for Prefixed {
    fn abort(&mut self) {
        self.inner.abort();
    }
}
