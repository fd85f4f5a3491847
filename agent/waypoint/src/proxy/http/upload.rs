//! A request's body on its way to the backend: streamed, and as long as a try may be repeated or somebody else wants to
//! hear it too, kept up to a bound.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body as _, Frame, Incoming};

use super::body::UploadError;
use super::echo::{Echo, EchoQueue};
use super::hops;
use super::messages::Messages;
use crate::proxy::report::Meter;

/// The client's body, which the tries of a request read one after the other.
#[derive(Clone)]
pub(crate) struct Upload(Rc<RefCell<Source>>);

struct Source {
    incoming: Incoming,
    received: Rc<Meter>,
    messages: Option<Messages>,
    /// What has been read so far, as long as all of it is there.
    kept: Option<Vec<Bytes>>,
    kept_bytes: usize,
    limit: usize,
    committed: bool,
    trailers: Option<HeaderMap>,
    ended: bool,
    failed: bool,
    echoes: Vec<Weak<RefCell<EchoQueue>>>,
}

/// Where one try is.
pub(crate) struct Reading {
    source: Rc<RefCell<Source>>,
    next: usize,
    trailers_given: bool,
}

impl Upload {
    /// `limit`: how many bytes may be kept for another try; 0 for none.
    pub(crate) fn new(incoming: Incoming, limit: usize, received: Rc<Meter>, grpc: bool) -> Self {
        Self(Rc::new(RefCell::new(Source {
            ended: incoming.is_end_stream(),
            incoming,
            received,
            messages: grpc.then(Messages::default),
            kept: Some(Vec::new()),
            kept_bytes: 0,
            limit,
            committed: false,
            trailers: None,
            failed: false,
            echoes: Vec::new(),
        })))
    }

    /// Another try can send all of it again.
    pub(crate) fn is_whole(&self) -> bool {
        let source = self.0.borrow();
        source.kept.is_some() && !source.failed
    }

    /// The client broke off.
    pub(crate) fn has_failed(&self) -> bool {
        self.0.borrow().failed
    }

    /// No other try will follow: what has been sent need not be kept.
    pub(crate) fn commit(&self) {
        self.0.borrow_mut().committed = true;
    }

    /// From the beginning.
    pub(crate) fn read(&self) -> Reading {
        Reading { source: self.0.clone(), next: 0, trailers_given: false }
    }

    /// Hears what is read from now on.
    pub(crate) fn echo(&self) -> Echo {
        let mut source = self.0.borrow_mut();
        let queue = Rc::new(RefCell::new(EchoQueue::new(source.limit.max(1))));
        source.echoes.push(Rc::downgrade(&queue));
        Echo(queue)
    }
}

impl Source {
    /// The next piece from the client, which goes to whoever listens.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        self.received.touch();
        Poll::Ready(match frame {
            None => {
                self.end();
                None
            }
            Some(Err(error)) => {
                self.failed = true;
                self.tell(|queue| queue.push(Err(UploadError::Gone)));
                Some(Err(UploadError::Client(error)))
            }
            Some(Ok(mut frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    hops::remove_from_trailers(trailers);
                }
                self.take(&frame);
                if self.incoming.is_end_stream() {
                    self.end();
                }
                Some(Ok(frame))
            }
        })
    }

    fn take(&mut self, frame: &Frame<Bytes>) {
        if let Some(data) = frame.data_ref() {
            self.received.add(data.len());
            if let Some(messages) = &mut self.messages {
                self.received.add_messages(messages.count(data));
            }
            self.keep(data);
            self.tell(|queue| queue.push(Ok(Frame::data(data.clone()))));
        } else if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
            self.tell(|queue| queue.push(Ok(Frame::trailers(trailers.clone()))));
        }
    }

    fn keep(&mut self, data: &Bytes) {
        self.kept_bytes += data.len();
        if self.kept_bytes > self.limit {
            self.kept = None;
        } else if let Some(kept) = &mut self.kept {
            kept.push(data.clone());
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.tell(|queue| queue.ended = true);
    }

    fn tell(&mut self, what: impl Fn(&mut EchoQueue)) {
        self.echoes.retain(|echo| match echo.upgrade() {
            Some(queue) => {
                let mut queue = queue.borrow_mut();
                what(&mut queue);
                queue.wake();
                true
            }
            None => false,
        });
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if !self.ended {
            self.tell(|queue| queue.push(Err(UploadError::Gone)));
        }
    }
}

impl Reading {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let mut source = self.source.borrow_mut();
        if let Some(kept) = &source.kept {
            if let Some(data) = kept.get(self.next) {
                self.next += 1;
                return Poll::Ready(Some(Ok(Frame::data(data.clone()))));
            }
        } else if self.next == 0 && source.kept_bytes > 0 {
            return Poll::Ready(Some(Err(UploadError::Gone)));
        }
        if source.ended {
            let trailers = source.trailers.clone().filter(|_| !self.trailers_given);
            self.trailers_given = true;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        if source.committed {
            source.kept = None;
        }
        let frame = std::task::ready!(source.poll(cx));
        match &frame {
            Some(Ok(frame)) if frame.is_data() => self.next += 1,
            Some(Ok(_)) => self.trailers_given = true,
            _ => {}
        }
        Poll::Ready(frame)
    }

    pub(super) fn is_end(&self) -> bool {
        let source = self.source.borrow();
        let all = source.kept.as_ref().map_or(self.next > 0, |kept| self.next == kept.len());
        source.ended && all && (self.trailers_given || source.trailers.is_none())
    }
}
