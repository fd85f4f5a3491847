//! A response's body on its way to the client.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::failure;
use super::hops;
use super::messages::Messages;
use crate::proxy::choice::Choice;
use crate::proxy::pool::Lease;
use crate::proxy::report::{Account, Flags};
use crate::proxy::serve::Busy;
use crate::proxy::wire::Watch;

/// What is sent to a client as the response's body.
pub(crate) enum ResponseBody {
    Whole(Option<Bytes>),
    Relay(Box<Relay>),
}

/// The body of a backend's response. What the request holds, it holds until the end: the connection, the place in the
/// balance, and the account, which is settled with it.
pub(crate) struct Relay {
    pub(super) body: Incoming,
    pub(super) lease: Option<Lease>,
    pub(super) choice: Option<Choice>,
    pub(super) account: Account,
    pub(super) messages: Option<Messages>,
    pub(super) limits: Ends,
    pub(super) timer: Option<Pin<Box<Sleep>>>,
    /// Of HTTP/1: an unfinished body must not look finished.
    pub(super) watch: Option<Watch>,
    pub(super) _busy: Busy,
}

/// When a response is cut off.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ends {
    /// Of this try, or of the request if that comes first.
    pub(crate) deadline: Option<Instant>,
    /// Of the request, tries and waits together.
    pub(crate) whole: Option<Instant>,
    pub(crate) idle: Option<Duration>,
}

/// A response that broke off. The cause is kept: hyper looks for the code of a stream's reset in it.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the backend's response broke off")]
    Backend(#[source] Arc<hyper::Error>),
    #[error("the response took too long")]
    Late,
}

impl Relay {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            return self.poll_limits(cx).map(|()| Some(Err(self.late())));
        };
        let Some(frame) = frame else {
            self.complete();
            return Poll::Ready(None);
        };
        Poll::Ready(Some(match frame {
            Ok(mut frame) => {
                if let Some(trailers) = frame.trailers_mut() {
                    hops::remove_from_trailers(trailers);
                }
                self.saw(&frame);
                if self.body.is_end_stream() {
                    self.complete();
                }
                Ok(frame)
            }
            Err(error) => Err(self.broke(error)),
        }))
    }

    fn saw(&mut self, frame: &Frame<Bytes>) {
        self.account.sent.touch();
        if let Some(data) = frame.data_ref() {
            self.account.sent.add(data.len());
            if let Some(messages) = &mut self.messages {
                self.account.sent.add_messages(messages.count(data));
            }
        } else if let Some(trailers) = frame.trailers_ref() {
            self.account.trailers(trailers);
        }
    }

    fn complete(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.finish();
        }
        if let Some(choice) = self.choice.take() {
            choice.completed(self.account.grpc_status);
        }
    }

    fn broke(&mut self, error: hyper::Error) -> Broken {
        let failure = failure::of(&error);
        self.account.flags |= failure.flags;
        self.account.details = failure.details;
        self.end(true);
        Broken::Backend(Arc::new(error))
    }

    fn late(&mut self) -> Broken {
        let request = self.limits.deadline.is_some_and(|deadline| deadline <= Instant::now());
        let (flag, details) = match request {
            true => (Flags::UPSTREAM_TIMEOUT, "response_timeout"),
            false => (Flags::STREAM_IDLE_TIMEOUT, "stream_idle_timeout"),
        };
        self.account.flags |= flag;
        self.account.details = details;
        self.end(true);
        Broken::Late
    }

    /// The response is not whole, and the client may not think so.
    fn end(&mut self, by_backend: bool) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
        self.lease = None;
        if let Some(choice) = self.choice.take().filter(|_| by_backend) {
            choice.failed();
        }
    }

    /// Ready when a limit is over. The timer is made when there is something to wait for: most bodies come with the head.
    fn poll_limits(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(end) = self.next_end() {
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
            if timer.deadline() != end {
                timer.as_mut().reset(end);
            }
            std::task::ready!(timer.as_mut().poll(cx));
            if self.next_end().is_some_and(|end| end <= Instant::now()) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    fn next_end(&self) -> Option<Instant> {
        let moved = [self.account.sent.moved(), self.account.received.moved(), Some(self.account.started())];
        let moved = moved.into_iter().flatten().max();
        let idle = self.limits.idle.zip(moved).map(|(idle, moved)| moved + idle);
        [self.limits.deadline, idle].into_iter().flatten().min()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.complete();
        } else if self.lease.is_some() {
            self.account.flags |= Flags::DOWNSTREAM_DISCONNECT;
            self.account.details = "downstream_remote_disconnect";
            self.end(false);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Relay(relay) => relay.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Relay(relay) => relay.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Relay(relay) => relay.body.size_hint(),
        }
    }
}
