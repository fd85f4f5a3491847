//! Interim responses (1xx) on their way to a client of HTTP/1: hyper's server cannot send any but 100, so they are written
//! below it, at a moment when all that hyper has written is gone and the request that they belong to is not answered.
//!
//! ```text
//!   backend's connection --(Hint)--> queue --(Gate, between hyper's messages)--> client
//!                                      |
//!                        the exchange waits until it is empty
//! ```

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_util::task::AtomicWaker;
use tokio::io::AsyncWrite as _;

use super::gate::Shared;
use super::io::Stream;

/// What a client's connection has still to be told.
#[derive(Default)]
pub(super) struct Early {
    /// Looked at with every write: so it costs no lock.
    waiting: AtomicBool,
    /// The try that may speak; what comes from another is late.
    turn: AtomicU64,
    queue: Mutex<Queue>,
    task: AtomicWaker,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Bytes>,
    /// Of the first message, something has been written.
    begun: bool,
}

/// One try's right to send interim responses; when it is dropped, what was not written yet is not written at all.
pub(crate) struct Turn {
    early: Arc<Shared>,
    number: u64,
}

impl Early {
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Writes all that waits.
    pub(super) fn poll_write(&self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let mut queue = self.queue();
        while let Some(message) = queue.messages.front_mut() {
            let written = ready!(Pin::new(&mut *stream).poll_write(cx, message))?;
            if written == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            message.advance(written);
            queue.begun = true;
            if queue.messages.front().is_some_and(Bytes::is_empty) {
                queue.messages.pop_front();
                queue.begun = false;
            }
        }
        self.waiting.store(false, Ordering::Relaxed);
        drop(queue);
        self.task.wake();
        Poll::Ready(Ok(()))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    pub(super) fn new(early: Arc<Shared>) -> Self {
        let number = early.early.turn.fetch_add(1, Ordering::Relaxed) + 1;
        Self { early, number }
    }

    /// For hyper, which calls it from the backend's connection.
    pub(crate) fn speaker(&self) -> impl Fn(Bytes) + Send + Sync + 'static {
        let (shared, number) = (self.early.clone(), self.number);
        move |message| {
            let early = &shared.early;
            let mut queue = early.queue();
            // A client that reads slowly is not worth more: each of them may be left out.
            if early.turn.load(Ordering::Relaxed) != number || queue.messages.len() >= MOST {
                return;
            }
            queue.messages.push_back(message);
            early.waiting.store(true, Ordering::Relaxed);
            drop(queue);
            early.task.wake();
        }
    }

    /// Ready when nothing waits.
    pub(crate) fn poll_said(&self, cx: &Context<'_>) -> Poll<()> {
        let early = &self.early.early;
        early.task.register(cx.waker());
        if early.is_waiting() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let early = &self.early.early;
        let mut queue = early.queue();
        early.turn.fetch_add(1, Ordering::Relaxed);
        // What has begun must end, or what follows is read as its rest.
        let kept = usize::from(queue.begun);
        queue.messages.truncate(kept);
        early.waiting.store(kept > 0, Ordering::Relaxed);
    }
}

/// Interim responses that a client may be behind.
const MOST: usize = 16;
