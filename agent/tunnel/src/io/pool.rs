//! A worker's open tunnels.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use tokio::sync::oneshot;
use tokio::time::Instant;
use weir_identity::WorkloadCertificate;
use weir_model::Identity;

use super::context::{Context, PodContext};
use super::dial::dial;
use super::window::Window;
use crate::TunnelError;
use crate::core::pool::{Choice, Load, choose};

/// Streams with the same key may share a tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) pod: Arc<str>,
    pub(crate) identity: Identity,
    pub(crate) expected: Vec<Identity>,
    pub(crate) addr: SocketAddr,
    pub(crate) source: IpAddr,
}

/// Tunnels by key.
#[derive(Default)]
pub(crate) struct Pool(RefCell<HashMap<Key, Entry>>);

#[derive(Default)]
struct Entry {
    tunnels: Vec<Rc<Tunnel>>,
    /// Who waits for the dial that is under way.
    waiting: Option<Vec<Waiter>>,
}

type Waiter = oneshot::Sender<Result<(), Arc<TunnelError>>>;

/// An open tunnel.
pub(crate) struct Tunnel {
    requests: SendRequest<Bytes>,
    window: Rc<Window>,
    /// What it was opened with. After a renewal new streams get a new tunnel.
    certificate: Arc<WorkloadCertificate>,
    over: Rc<Cell<bool>>,
    streams: Cell<usize>,
    bulk: Cell<usize>,
    used: Cell<Instant>,
}

impl Pool {
    /// A place for a new stream: in a tunnel that is there, or in a new one. However many ask at once, one
    /// dials and the others wait for it.
    pub(crate) async fn open(
        &self,
        context: &Rc<Context>,
        pod: &Rc<PodContext>,
        key: &Key,
        certificate: &Arc<WorkloadCertificate>,
    ) -> Result<Lease, TunnelError> {
        let config = context.config();
        let mut spread = config.spread;
        loop {
            if let Some(lease) = self.pick(key, certificate, config.pool_streams, spread) {
                return Ok(lease);
            }
            let dialled = self.wait(key, || start(context, pod, key, certificate));
            match dialled.await {
                Ok(Ok(())) => {}
                // A second tunnel is for comfort: without it the first one serves.
                Ok(Err(_)) if spread > 0 => spread = 0,
                Ok(Err(error)) => return Err(TunnelError::Shared(error)),
                Err(_) => return Err(TunnelError::GivenUp),
            }
            if pod.pod.is_gone() {
                return Err(TunnelError::GivenUp);
            }
        }
    }

    fn pick(
        &self,
        key: &Key,
        certificate: &Arc<WorkloadCertificate>,
        cap: usize,
        spread: usize,
    ) -> Option<Lease> {
        let mut entries = self.0.borrow_mut();
        let entry = entries.get_mut(key)?;
        entry.tunnels.retain(|tunnel| !tunnel.is_over());
        let usable = |t: &&Rc<Tunnel>| Arc::ptr_eq(&t.certificate, certificate);
        let usable = entry.tunnels.iter().filter(usable);
        match choose(usable.clone().map(|t| t.load(cap)), spread) {
            Choice::Use(index) => usable.clone().nth(index).map(Lease::new),
            Choice::Dial => None,
        }
    }

    /// Joins the dial that is under way, or starts one.
    fn wait(&self, key: &Key, start: impl FnOnce()) -> oneshot::Receiver<Result<(), Arc<TunnelError>>> {
        let (waiter, dialled) = oneshot::channel();
        let mut entries = self.0.borrow_mut();
        let entry = entries.entry(key.clone()).or_default();
        match &mut entry.waiting {
            Some(waiting) => waiting.push(waiter),
            None => {
                entry.waiting = Some(vec![waiter]);
                start();
            }
        }
        dialled
    }

    fn finish(&self, key: &Key, result: Result<Rc<Tunnel>, Arc<TunnelError>>) {
        let waiting = {
            let mut entries = self.0.borrow_mut();
            let Some(entry) = entries.get_mut(key) else {
                return;
            };
            entry.tunnels.extend(result.as_ref().ok().cloned());
            entry.waiting.take()
        };
        let outcome = result.map(drop);
        for waiter in waiting.into_iter().flatten() {
            let _ = waiter.send(outcome.clone());
        }
    }

    /// Closes what was not used for `limit`.
    pub(crate) fn sweep(&self, limit: std::time::Duration) {
        let now = Instant::now();
        let stale = |t: &Tunnel| t.streams.get() == 0 && now - t.used.get() >= limit;
        self.0.borrow_mut().retain(|_, entry| {
            entry.tunnels.retain(|t| !t.is_over() && !stale(t));
            !entry.tunnels.is_empty() || entry.waiting.is_some()
        });
    }

    /// Forgets a pod's tunnels; each closes when its last stream has ended.
    pub(crate) fn forget(&self, pod: &str) {
        self.0.borrow_mut().retain(|key, _| &*key.pod != pod);
    }

    /// Forgets all tunnels.
    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    /// How many tunnels are open.
    pub(crate) fn count(&self) -> usize {
        self.0.borrow().values().map(|e| e.tunnels.len()).sum()
    }
}

/// The dial is a task of its own: whoever asked first may go away, others wait for it too.
fn start(context: &Rc<Context>, pod: &Rc<PodContext>, key: &Key, certificate: &Arc<WorkloadCertificate>) {
    let (context, key, certificate) = (context.clone(), key.clone(), certificate.clone());
    let net = pod.clone();
    pod.services.spawn(async move |_running| {
        let config = context.config();
        let window = Window::new(&context.budget, config);
        let dialled = Box::pin(dial(&net.pod, &key, &certificate, config, window.clone())).await;
        let (requests, tunnel) = match dialled {
            Ok(dialled) => dialled,
            Err(error) => return context.pool.finish(&key, Err(Arc::new(error))),
        };
        let over = Rc::new(Cell::new(false));
        let entry = Tunnel {
            requests,
            window,
            certificate,
            over: over.clone(),
            streams: Cell::new(0),
            bulk: Cell::new(0),
            used: Cell::new(Instant::now()),
        };
        context.pool.finish(&key, Ok(Rc::new(entry)));
        if let Err(lost) = tunnel.await {
            tracing::debug!(pod = %key.pod, peer = %key.addr, %lost, "tunnel lost");
        }
        over.set(true);
    });
}

impl Tunnel {
    fn is_over(&self) -> bool {
        let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
        // An error here is GOAWAY or a lost connection.
        self.over.get() || matches!(self.requests.clone().poll_ready(cx), Poll::Ready(Err(_)))
    }

    fn load(&self, cap: usize) -> Load {
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
    fn new(tunnel: &Rc<Tunnel>) -> Self {
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
