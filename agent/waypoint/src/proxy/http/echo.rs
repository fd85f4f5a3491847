//! A mirror's copy of a request's body: as much of it as the mirror is behind is kept, up to a bound.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::Frame;

use super::body::UploadError;

/// A mirror's copy of the body.
pub(crate) struct Echo(pub(super) Rc<RefCell<EchoQueue>>);

/// What the mirror has not read yet.
#[derive(Default)]
pub(super) struct EchoQueue {
    frames: VecDeque<Result<Frame<Bytes>, UploadError>>,
    bytes: usize,
    limit: usize,
    pub(super) ended: bool,
    waker: Option<Waker>,
}

impl EchoQueue {
    /// That keeps as many bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    pub(super) fn push(&mut self, frame: Result<Frame<Bytes>, UploadError>) {
        self.bytes += frame.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len);
        if self.bytes > self.limit {
            self.frames.clear();
            self.frames.push_back(Err(UploadError::Slow));
        } else {
            self.frames.push_back(frame);
        }
    }

    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        match self.frames.pop_front() {
            Some(frame) => {
                self.bytes -= frame.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len);
                Poll::Ready(Some(frame))
            }
            None if self.ended => Poll::Ready(None),
            None => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Echo {
    pub(super) fn is_end(&self) -> bool {
        let queue = self.0.borrow();
        queue.ended && queue.frames.is_empty()
    }
}
