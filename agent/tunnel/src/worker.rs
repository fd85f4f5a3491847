//! The threads of the data path.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::io::admission;
use crate::io::context::{Context, PodContext};
use crate::io::flow::Reports;
use crate::io::tasks::Tasks;
use crate::io::window::Budget;
use crate::shared::PodUse;
use crate::{LocalPod, OpenConnection, Shared};

mod listen;
mod threads;

pub use threads::Workers;

/// What a listener's connections are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerKind {
    /// Made by the pod's applications.
    Outbound,
    /// Made to the pod in the clear.
    Plaintext,
    /// Tunnels to the pod.
    Hbone,
}

/// One thread's share of the work. Everything of a connection happens here.
///
/// It lives inside a `tokio::runtime::LocalRuntime` (or a `LocalSet`); [`Workers`] makes the threads.
pub struct Worker {
    context: Rc<Context>,
    pods: Rc<RefCell<HashMap<Arc<str>, Rc<PodContext>>>>,
}

impl Worker {
    /// A worker without work.
    pub fn new(shared: Arc<Shared>) -> Self {
        let idle = shared.config.idle_timeout;
        let reports = Rc::new(Reports { shared, counters: Default::default(), open: Default::default() });
        let context = Rc::new(Context {
            budget: Budget::new(&reports.shared.config),
            reports,
            pool: Default::default(),
            admissions: Default::default(),
            draining: CancellationToken::new(),
        });
        tokio::task::spawn_local(sweep(Rc::downgrade(&context), idle));
        let changes = context.shared().changes.clone();
        tokio::task::spawn_local(admission::watch(Rc::downgrade(&context), changes));
        Self { context, pods: Rc::default() }
    }

    /// Accepts a listener's connections until the pod is aborted or the worker drains.
    ///
    /// # Errors
    /// The listener cannot be registered with the runtime.
    pub fn serve(&self, pod: Arc<LocalPod>, kind: ListenerKind, listener: TcpListener) -> io::Result<()> {
        if pod.is_gone() {
            return Ok(());
        }
        prepare(&listener)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let pod = self.pod(pod);
        let (context, owner) = (self.context.clone(), pod.clone());
        pod.services.spawn(move |running| listen::accept(running, context, owner, kind, listener));
        Ok(())
    }

    /// Open connections of applications.
    pub fn connections(&self) -> usize {
        self.pods.borrow().values().map(|pod| pod.connections.count()).sum()
    }

    /// What is known of them.
    pub fn open(&self) -> Vec<OpenConnection> {
        self.context.reports.connections()
    }

    /// Tunnels in the pool.
    pub fn tunnels(&self) -> usize {
        self.context.pool.count()
    }

    /// Takes no new work, tells peers so (GOAWAY), waits for open connections until the deadline and resets
    /// what is left.
    pub async fn drain(&self, deadline: Duration) {
        self.context.draining.cancel();
        let pods: Vec<_> = self.pods.borrow().values().cloned().collect();
        let finished = async {
            for pod in &pods {
                pod.connections.finished().await;
            }
        };
        let _ = timeout(deadline, finished).await;
        for pod in &pods {
            pod.connections.abort();
        }
        // Tunnels without streams say goodbye by themselves.
        self.context.pool.clear();
        let closed = async {
            for pod in &pods {
                pod.connections.finished().await;
                pod.services.finished().await;
            }
        };
        let _ = timeout(GOODBYE, closed).await;
        for pod in &pods {
            pod.services.abort();
        }
    }

    /// A pod whose tunnels somebody else serves.
    pub(crate) fn adopt(&self, pod: Arc<LocalPod>) -> (Rc<Context>, Rc<PodContext>) {
        (self.context.clone(), self.pod(pod))
    }

    /// This worker's part of a pod. A pod that came back is another one.
    fn pod(&self, pod: Arc<LocalPod>) -> Rc<PodContext> {
        let mut pods = self.pods.borrow_mut();
        if let Some(known) = pods.get(pod.uid()).filter(|p| Arc::ptr_eq(&p.pod, &pod)) {
            return known.clone();
        }
        let new = Rc::new(PodContext {
            pod: pod.clone(),
            connections: Rc::<Tasks>::default(),
            services: Rc::<Tasks>::default(),
        });
        pods.insert(pod.uid().clone(), new.clone());
        let (pods, context, used) = (self.pods.clone(), self.context.clone(), pod.used());
        tokio::task::spawn_local(abort_when_gone(pods, context, new.clone(), used));
        new
    }
}

/// The pod left the mesh: its sockets are closed with RST before its routes go.
async fn abort_when_gone(
    pods: Rc<RefCell<HashMap<Arc<str>, Rc<PodContext>>>>,
    context: Rc<Context>,
    pod: Rc<PodContext>,
    _used: PodUse,
) {
    pod.pod.gone().await;
    pod.connections.abort();
    // Each stream is reset by name before its tunnel goes: Istio's node proxy takes a tunnel that just ends
    // for a clean end of its streams. The tunnels' tasks are behind the connections' in the queue.
    for _ in 0..SAY_RESET {
        tokio::task::yield_now().await;
    }
    // Also what was accepted meanwhile.
    pod.connections.abort();
    pod.services.abort();
    pod.connections.finished().await;
    pod.services.finished().await;
    context.pool.forget(pod.pod.uid());
    let mut pods = pods.borrow_mut();
    if pods.get(pod.pod.uid()).is_some_and(|p| Rc::ptr_eq(p, &pod)) {
        pods.remove(pod.pod.uid());
    }
}

async fn sweep(context: std::rc::Weak<Context>, idle: Duration) {
    let mut ticks = tokio::time::interval(idle.min(SWEEP));
    loop {
        ticks.tick().await;
        match context.upgrade() {
            Some(context) => {
                context.pool.sweep(idle);
                context.shared().limits.sweep(&context.directory());
                crate::io::buffer::trim();
            }
            None => return,
        }
    }
}

/// Accepted sockets inherit the keepalive, which saves calls per connection.
fn prepare(listener: &TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE).with_retries(KEEPALIVE_PROBES);
    SockRef::from(listener).set_tcp_keepalive(&keepalive)
}

/// As Istio's node proxy.
const KEEPALIVE: Duration = Duration::from_secs(180);
const KEEPALIVE_PROBES: u32 = 9;
/// How often idle tunnels are looked for.
const SWEEP: Duration = Duration::from_secs(30);
/// Turns of the runtime: connections end in the first, tunnels send in the second, one is spare.
const SAY_RESET: usize = 3;
/// What a tunnel has to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
