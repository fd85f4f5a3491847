//! Bodies that are written piece by piece, and the messages of gRPC in them.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A body; it ends when its writer is gone.
pub(crate) struct Frames(UnboundedReceiver<Frame<Bytes>>);

/// Who writes one.
pub(crate) struct Writer(UnboundedSender<Frame<Bytes>>);

pub(crate) fn frames() -> (Writer, Frames) {
    let (writer, frames) = unbounded_channel();
    (Writer(writer), Frames(frames))
}

/// A body that is all there.
pub(crate) fn whole(text: String) -> Frames {
    let (writer, frames) = frames();
    if !text.is_empty() {
        writer.send(Frame::data(text.into()));
    }
    frames
}

impl Writer {
    /// One message of gRPC.
    pub(crate) fn message(&self, text: &str) {
        let mut message = BytesMut::with_capacity(text.len() + PREFIX);
        message.put_u8(0);
        message.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
        message.put_slice(text.as_bytes());
        self.send(Frame::data(message.freeze()));
    }

    pub(crate) fn trailers(&self, trailers: HeaderMap) {
        self.send(Frame::trailers(trailers));
    }

    fn send(&self, frame: Frame<Bytes>) {
        // Nobody reads it any more: they see why themselves.
        let _ = self.0.send(frame);
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

/// Messages of a body, and what comes after them.
pub(crate) struct Messages {
    body: Incoming,
    pending: BytesMut,
    pub(crate) trailers: HeaderMap,
}

impl Messages {
    pub(crate) fn of(body: Incoming) -> Self {
        Self { body, pending: BytesMut::new(), trailers: HeaderMap::new() }
    }

    /// The next one; `None` at the end.
    ///
    /// # Errors
    /// The stream was reset, or ended inside a message.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<String>> {
        loop {
            if let Some(message) = self.whole() {
                return Ok(Some(message));
            }
            match self.body.frame().await.transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => self.pending.extend_from_slice(&data),
                Some(Err(frame)) => self.trailers = frame.into_trailers().unwrap_or_default(),
                None => {
                    anyhow::ensure!(self.pending.is_empty(), "it ended inside a message");
                    return Ok(None);
                }
            }
        }
    }

    fn whole(&mut self) -> Option<String> {
        let length = self.pending.get(1..PREFIX)?.try_into().ok().map(u32::from_be_bytes)?;
        let length = usize::try_from(length).ok()?;
        if self.pending.len() < PREFIX + length {
            return None;
        }
        self.pending.advance(PREFIX);
        Some(String::from_utf8_lossy(&self.pending.split_to(length)).into_owned())
    }
}

/// Whether it is compressed, and its length.
const PREFIX: usize = 5;
