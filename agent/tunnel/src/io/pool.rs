//! A worker's open tunnels.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use weir_identity::WorkloadCertificate;
use weir_model::{Identity, Keepalive};

use super::context::{Context, PodContext};
use super::dial::dial;
use super::tunnel::{Lease, Tunnel};
use super::window::Window;
use crate::TunnelError;
use crate::core::pool::{Choice, choose};

/// Streams with the same key may share a tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) pod: Arc<str>,
    pub(crate) identity: Identity,
    pub(crate) expected: Vec<Identity>,
    pub(crate) addr: SocketAddr,
    pub(crate) source: IpAddr,
    /// What a DestinationRule says of the tunnel's socket: connections under other rules have tunnels of their own.
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) keepalive: Option<Keepalive>,
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
            let mut joined = true;
            let dialled = self.wait(key, || {
                joined = false;
                start(context, pod, key, certificate);
            });
            match dialled.await {
                Ok(Ok(())) => {}
                // Somebody else's time is over: this one waits on, as long as its rule says.
                Ok(Err(error)) if joined && key.connect_timeout.is_some() && error.is_late() => {}
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
        let usable = |t: &&Rc<Tunnel>| t.is_of(certificate);
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
    pub(crate) fn sweep(&self, limit: Duration) {
        let now = Instant::now();
        self.0.borrow_mut().retain(|_, entry| {
            entry.tunnels.retain(|t| !t.is_over() && !t.is_stale(now, limit));
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
        let (requests, task) = match dialled {
            Ok(dialled) => dialled,
            Err(error) => return context.pool.finish(&key, Err(Arc::new(error))),
        };
        let entry = Tunnel::new(requests, window, certificate);
        let over = entry.over();
        context.pool.finish(&key, Ok(entry));
        if let Err(lost) = task.await {
            tracing::debug!(pod = %key.pod, peer = %key.addr, %lost, "tunnel lost");
        }
        over.set(true);
    });
}
