//! What agents say of the pods of their nodes, and what the pods are told of it.
//!
//! ```text
//!   agent --Report--> [ NodeService ] --> [ Claims ] <--compare--> the picture --> PodTeller (annotation, condition)
//! ```
//! An agent is connected to one replica at a time, and that one has its pods told. What another wrote late, or somebody
//! removed, shows in the picture, differs from what the agent says, and is written again.

mod claims;
mod service;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prost::Message;
use tokio::sync::{mpsc, watch};
use weir_index::Resource;
use weir_proto::node::{NodeReport, Pod};

pub use claims::{Captured, Told};
pub use service::NodeService;

use crate::Store;
use crate::store::{Entry, Head};
use claims::Claims;

/// Who tells pods what is so of them, and nodes that their agent serves.
pub trait PodTeller: Send + Sync {
    /// The pod is to say this of itself; it says something else now.
    fn tell(&self, told: Told);
    /// The agent of this node serves.
    fn ready(&self, node: &str);
}

/// What the agents that are connected here say. Clones are the same.
#[derive(Clone)]
pub struct Nodes(Arc<Inner>);

struct Inner {
    store: Store,
    teller: Arc<dyn PodTeller>,
    claims: Mutex<Claims>,
    fresh: mpsc::UnboundedSender<Arc<str>>,
    asked: Mutex<Option<mpsc::UnboundedReceiver<Arc<str>>>>,
}

impl Nodes {
    /// Nobody is connected yet.
    pub fn new(store: Store, teller: Arc<dyn PodTeller>) -> Self {
        let (fresh, asked) = mpsc::unbounded_channel();
        let (claims, asked) = (Mutex::default(), Mutex::new(Some(asked)));
        Self(Arc::new(Inner { store, teller, claims, fresh, asked }))
    }

    /// Keeps what pods say of themselves at what their agents say, without an end. Called once.
    pub async fn run(self) {
        let asked = self.0.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut asked) = asked else { return };
        let (mut head, mut position) = (self.0.store.watch(), 0);
        loop {
            let now = self.0.store.current();
            for (_, entry) in now.node_pods.since(position..) {
                if let Entry::Live(resource) = entry {
                    self.compare(resource);
                }
            }
            position = now.position;
            tokio::select! {
                changed = head.changed() => if changed.is_err() { return },
                Some(name) = asked.recv() => self.look_at(&name),
                // What could not be written and was given up.
                () = tokio::time::sleep(LOOK_AGAIN) => {
                    let names = self.claims().names();
                    names.iter().for_each(|name| self.look_at(name));
                }
            }
        }
    }

    /// A stream of a node's agent begins; what an earlier one of the same node said is void.
    pub(crate) fn open(&self, node: &Arc<str>) -> u64 {
        self.claims().open(node)
    }

    pub(crate) fn take(&self, node: &Arc<str>, stream: u64, report: NodeReport) {
        if report.ready {
            self.0.teller.ready(node);
        }
        for name in self.claims().take(node, stream, report.pods) {
            let _ = self.0.fresh.send(name);
        }
    }

    pub(crate) fn close(&self, node: &Arc<str>, stream: u64) {
        self.claims().close(node, stream);
    }

    pub(crate) fn ends(&self) -> watch::Receiver<Head> {
        self.0.store.watch()
    }

    fn look_at(&self, name: &str) {
        if let Some(resource) = self.0.store.snapshot().node_pod(name) {
            self.compare(resource);
        }
    }

    fn compare(&self, resource: &Resource) {
        let told = self.claims().difference(&resource.name, || Pod::decode(&*resource.body).ok());
        if let Some(told) = told {
            self.0.teller.tell(told);
        }
    }

    fn claims(&self) -> MutexGuard<'_, Claims> {
        self.0.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const LOOK_AGAIN: Duration = Duration::from_secs(60);
