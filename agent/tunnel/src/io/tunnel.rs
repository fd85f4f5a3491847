//! One open tunnel of the pool, and a stream's place in it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use tokio::time::Instant;
use weir_identity::WorkloadCertificate;

use super::window::Window;
use crate::core::pool::Load;

/// An open tunnel.
pub(crate) struct Tunnel {
    requests: SendRequest<Bytes>,
    window: Rc<Window>,
    /// What it was opened with. After a renewal new streams get a new tunnel.
    certificate: Arc<WorkloadCertificate>,
    /// Its task sets it. Not the whole tunnel: that would keep it open.
    over: Rc<Cell<bool>>,
    streams: Cell<usize>,
    bulk: Cell<usize>,
    used: Cell<Instant>,
}

impl Tunnel {
    pub(super) fn new(
        requests: SendRequest<Bytes>,
        window: Rc<Window>,
        certificate: Arc<WorkloadCertificate>,
    ) -> Rc<Self> {
        Rc::new(Self {
            requests,
            window,
            certificate,
            over: Rc::default(),
            streams: Cell::new(0),
            bulk: Cell::new(0),
            used: Cell::new(Instant::now()),
        })
    }

    /// Whether it was opened with this certificate.
    pub(super) fn is_of(&self, certificate: &Arc<WorkloadCertificate>) -> bool {
        Arc::ptr_eq(&self.certificate, certificate)
    }

    /// To be set when its task has ended.
    pub(super) fn over(&self) -> Rc<Cell<bool>> {
        self.over.clone()
    }

    /// Whether nobody used it for `limit`.
    pub(super) fn is_stale(&self, now: Instant, limit: Duration) -> bool {
        self.streams.get() == 0 && now - self.used.get() >= limit
    }

    /// Whether no stream can be opened in it any more.
    pub(super) fn is_over(&self) -> bool {
        let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
        // An error here is GOAWAY or a lost connection.
        self.over.get() || matches!(self.requests.clone().poll_ready(cx), Poll::Ready(Err(_)))
    }

    /// How busy it is; `cap` is the most streams that we want in it.
    pub(super) fn load(&self, cap: usize) -> Load {
        Load {
            streams: self.streams.get(),
            // A peer that allows none makes the stream wait and time out; dialling it again would not help.
            cap: cap.min(self.requests.current_max_send_streams()).max(1),
            bulk: self.bulk.get(),
        }
    }
}

/// A place for one stream in a tunnel.
pub(crate) struct Lease {
    tunnel: Rc<Tunnel>,
    bulk: Cell<bool>,
}

impl Lease {
    pub(super) fn new(tunnel: &Rc<Tunnel>) -> Self {
        tunnel.streams.set(tunnel.streams.get() + 1);
        Self { tunnel: tunnel.clone(), bulk: Cell::new(false) }
    }

    /// Sends a request; its body stays open.
    pub(crate) fn send(
        &self,
        request: Request<()>,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.tunnel.requests.clone().send_request(request, false)
    }

    /// The tunnel's window.
    pub(crate) fn window(&self) -> Rc<Window> {
        self.tunnel.window.clone()
    }

    /// The stream moved a lot: new streams keep out of its way.
    pub(crate) fn mark_bulk(&self) {
        if !self.bulk.replace(true) {
            self.tunnel.bulk.set(self.tunnel.bulk.get() + 1);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let tunnel = &self.tunnel;
        tunnel.streams.set(tunnel.streams.get() - 1);
        if self.bulk.get() {
            tunnel.bulk.set(tunnel.bulk.get() - 1);
        }
        tunnel.used.set(Instant::now());
    }
}
