//! One thread's share of the proxy.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::{Notify, watch};

use super::choice::Backends;
use super::clusters::Clusters;
use super::config::Config;
use super::connect::Connector;
use super::pool::Pool;
use super::report::{AccessLog, Metrics};

/// What a [`Worker`] works with.
pub struct Parts {
    /// Its limits.
    pub config: Config,
    /// How endpoints are reached.
    pub connector: Box<dyn Connector>,
    /// Where backends' endpoints are found.
    pub backends: Arc<dyn Backends>,
    /// Of all workers.
    pub metrics: Arc<Metrics>,
    /// Of all workers; `None`: nothing is logged of requests.
    pub log: Option<Arc<AccessLog>>,
}

/// Serves connections on the thread that it was made on, within a `LocalSet` or a `LocalRuntime`: see [`Worker::serve`].
pub struct Worker {
    pub(crate) config: Config,
    pub(crate) connector: Box<dyn Connector>,
    pub(crate) backends: Arc<dyn Backends>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Option<Arc<AccessLog>>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) clusters: Clusters,
    pub(crate) mirrors: Cell<usize>,
    random: RefCell<SmallRng>,
    draining: watch::Sender<bool>,
    leaving: Cell<bool>,
    open: Cell<usize>,
    closed: Notify,
}

impl Worker {
    /// A worker without connections.
    pub fn new(parts: Parts) -> Rc<Self> {
        Rc::new(Self {
            config: parts.config,
            connector: parts.connector,
            backends: parts.backends,
            metrics: parts.metrics,
            log: parts.log,
            pool: Rc::default(),
            clusters: Clusters::default(),
            mirrors: Cell::default(),
            random: RefCell::new(SmallRng::from_rng(&mut rand::rng())),
            draining: watch::Sender::new(false),
            leaving: Cell::default(),
            open: Cell::default(),
            closed: Notify::new(),
        })
    }

    /// Connections that are being served.
    pub fn open(&self) -> usize {
        self.open.get()
    }

    /// Connections to endpoints.
    pub fn connected(&self) -> usize {
        self.pool.count()
    }

    /// Ends gracefully: clients are told that this connection takes no more requests (GOAWAY, `connection: close`), and
    /// what is open is finished. Returns when nothing is left, or after `deadline`: what is open then ends with its task.
    pub async fn drain(&self, deadline: Duration) {
        self.leaving.set(true);
        self.draining.send_replace(true);
        let all_closed = async {
            loop {
                let closed = self.closed.notified();
                if self.open.get() == 0 {
                    return;
                }
                closed.await;
            }
        };
        // Either way, connections to endpoints are of no more use.
        let _ = tokio::time::timeout(deadline, all_closed).await;
        self.pool.close();
    }

    /// Answers are to say that they are the last ones.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.get()
    }

    pub(crate) fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }

    /// Uniformly random: for chances, jitter and names, not for secrets.
    pub(crate) fn random(&self) -> u64 {
        self.random.borrow_mut().next_u64()
    }

    pub(crate) fn with_random<T>(&self, draw: impl FnOnce(&mut SmallRng) -> T) -> T {
        draw(&mut self.random.borrow_mut())
    }

    pub(crate) fn random_wide(&self) -> u128 {
        u128::from(self.random()) << 64 | u128::from(self.random())
    }

    /// Counts a connection.
    pub(crate) fn enter(self: &Rc<Self>) -> Open {
        self.open.set(self.open.get() + 1);
        Open(self.clone())
    }
}

/// A connection that is being served.
pub(crate) struct Open(Rc<Worker>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        if self.0.open.get() == 0 {
            self.0.closed.notify_waiters();
        }
    }
}
