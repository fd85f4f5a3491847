//! What is served now, and who is to be woken when it changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use weir_index::{Change, Changes, Layer7, PerKind, Snapshot};

use crate::connections::{ConnectionInfo, Connections};

mod log;
mod scope;

pub(crate) use log::{Entry, Log};

use log::Writer;

/// The newest picture of the mesh. Clones are the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    current: ArcSwap<Published>,
    writers: Mutex<Writers>,
    head: watch::Sender<Head>,
    connections: Connections,
}

#[derive(Default)]
struct Writers {
    addresses: Writer,
    authorizations: Writer,
    layer7: PerKind<Writer>,
    node_pods: Writer,
    position: u64,
}

/// What a stream waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Head {
    position: u64,
    pub(crate) closed: bool,
}

/// One picture together with the order in which its resources changed last. Immutable, and nearly all of it is shared
/// with the picture before.
pub(crate) struct Published {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) addresses: Log,
    pub(crate) authorizations: Log,
    pub(crate) layer7: PerKind<Log>,
    pub(crate) node_pods: Log,
    /// Positions in all logs are below this.
    pub(crate) position: u64,
    pub(crate) at: Instant,
    /// Whether this is a picture at all, and not the emptiness before the first.
    pub(crate) ready: bool,
}

impl Store {
    /// A store that nothing was published to.
    pub fn new() -> Self {
        let empty = Published {
            snapshot: Arc::default(),
            addresses: Log::default(),
            authorizations: Log::default(),
            layer7: PerKind::default(),
            node_pods: Log::default(),
            position: 0,
            at: Instant::now(),
            ready: false,
        };
        Self(Arc::new(Inner {
            current: ArcSwap::from_pointee(empty),
            writers: Mutex::default(),
            head: watch::Sender::default(),
            connections: Connections::default(),
        }))
    }

    /// Puts a picture in the place of the one before; `changes` is what is different. Costs in proportion to the changes.
    pub fn publish(&self, snapshot: Snapshot, changes: &Changes) {
        let mut writers = self.writers();
        let first = !self.is_ready();
        if first {
            // Whoever publishes first may have committed before: the picture counts, not what changed last.
            writers.fill(&snapshot);
        } else {
            writers.apply(changes);
        }
        if !first && !is_served(changes) {
            // Pods and nodes of the CA's may have changed; no stream has to be woken for them.
            return self.0.current.store(Arc::new(writers.published(snapshot, self.current().at)));
        }
        let published = writers.published(snapshot, Instant::now());
        let position = published.position;
        self.0.current.store(Arc::new(published));
        self.0.head.send_modify(|head| head.position = position);
    }

    /// The newest picture.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.current.load().snapshot.clone()
    }

    /// Whether there was a first picture.
    pub fn is_ready(&self) -> bool {
        self.0.current.load().ready
    }

    /// Ends all streams, and those that come from now on: the process is about to go.
    pub fn close(&self) {
        self.0.head.send_modify(|head| head.closed = true);
    }

    /// Who is connected, what each holds and what it refused.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.0.connections.list(&self.0.current.load())
    }

    pub(crate) fn registry(&self) -> &Connections {
        &self.0.connections
    }

    pub(crate) fn current(&self) -> Arc<Published> {
        self.0.current.load_full()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Head> {
        self.0.head.subscribe()
    }

    fn writers(&self) -> MutexGuard<'_, Writers> {
        self.0.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Writers {
    fn fill(&mut self, snapshot: &Snapshot) {
        for resource in snapshot.addresses() {
            self.addresses.set(&mut self.position, &resource.name, Some(resource));
        }
        for resource in snapshot.authorizations() {
            self.authorizations.set(&mut self.position, &resource.name, Some(resource));
        }
        for kind in Layer7::ALL {
            for resource in snapshot.all_layer7(kind) {
                self.layer7[kind].set(&mut self.position, &resource.name, Some(resource));
            }
        }
        for resource in snapshot.node_pods() {
            self.node_pods.set(&mut self.position, &resource.name, Some(resource));
        }
    }

    fn apply(&mut self, changes: &Changes) {
        self.addresses.apply(&mut self.position, &changes.addresses);
        self.authorizations.apply(&mut self.position, &changes.authorizations);
        for (kind, changes) in changes.layer7.iter() {
            self.layer7[kind].apply(&mut self.position, changes);
        }
        self.node_pods.apply(&mut self.position, &changes.node_pods);
    }

    fn published(&self, snapshot: Snapshot, at: Instant) -> Published {
        Published {
            snapshot: Arc::new(snapshot),
            addresses: self.addresses.log(),
            authorizations: self.authorizations.log(),
            layer7: self.layer7.map(Writer::log),
            node_pods: self.node_pods.log(),
            position: self.position,
            at,
            ready: true,
        }
    }
}

/// Whether something of it goes to streams.
fn is_served(changes: &Changes) -> bool {
    let is_there = |list: &Vec<Change>| !list.is_empty();
    is_there(&changes.addresses)
        || is_there(&changes.authorizations)
        || is_there(&changes.node_pods)
        || changes.layer7.iter().any(|(_, list)| is_there(list))
}

#[cfg(test)]
mod tests;
