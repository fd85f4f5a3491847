//! Who is connected: for people who look.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::store::{Entry, Published};
use crate::xds::Collection;

/// One stream.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionInfo {
    /// Number of the stream, as in the nonces of its responses.
    pub stream: u64,
    /// The proven caller.
    pub caller: String,
    /// What the client calls itself (`node.id`); empty until it said so.
    pub node: String,
    /// Where it comes from.
    pub address: Option<SocketAddr>,
    /// What it asked for, by type.
    pub types: Vec<TypeInfo>,
}

/// What a stream asked for of one type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TypeInfo {
    /// Type of the resources.
    pub type_url: String,
    /// Whether it asked for all.
    pub wildcard: bool,
    /// How many names it asked for.
    pub names: usize,
    /// How many resources it holds: those that it asked for by name and was given with them; of everything, those that it
    /// was sent as they are now.
    pub known: usize,
    /// How many answers wait to be sent to it.
    pub owed: usize,
    /// Nonce of the last response.
    pub nonce_sent: String,
    /// Nonce of the last response that it accepted.
    pub nonce_acked: String,
    /// Responses that it refused.
    pub nacks: u64,
    /// Why it refused the last of them, in its words.
    pub nack_reason: Option<String>,
    /// Changes in the mesh since what it was sent last.
    pub behind: u64,
    /// Position up to which it was sent everything.
    #[serde(skip)]
    pub(crate) position: u64,
}

/// All streams that are open.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Registry>);

#[derive(Default)]
struct Registry {
    next: AtomicU64,
    open: Mutex<BTreeMap<u64, ConnectionInfo>>,
}

impl Connections {
    /// Adds a stream; it is listed until the guard is dropped.
    pub(crate) fn open(&self, caller: String, address: Option<SocketAddr>) -> Registration {
        let stream = self.0.next.fetch_add(1, Ordering::Relaxed) + 1;
        let info = ConnectionInfo { stream, caller, node: String::new(), address, types: Vec::new() };
        self.0.lock().insert(stream, info);
        Registration { registry: self.0.clone(), stream }
    }

    /// All streams, and how they stand to a picture.
    pub(crate) fn list(&self, now: &Published) -> Vec<ConnectionInfo> {
        let mut list: Vec<_> = self.0.lock().values().cloned().collect();
        let mut totals = BTreeMap::new();
        for kind in list.iter_mut().flat_map(|info| &mut info.types) {
            kind.behind = now.position.saturating_sub(kind.position);
            let counted = |collection: &Collection| kind.wildcard && *collection != Collection::NodePod;
            let Some(collection) = Collection::of(&kind.type_url).filter(counted) else { continue };
            // Of a stream that has everything nothing is kept but its position.
            let total = totals.entry(kind.type_url.clone()).or_insert_with(|| live(collection, now, 0));
            kind.known = total.saturating_sub(live(collection, now, kind.position)).saturating_sub(kind.owed);
        }
        list
    }
}

/// How many resources of a collection there are that changed last at a position or after it.
fn live(collection: Collection, now: &Published, position: u64) -> usize {
    let is = |entry: &Entry| matches!(entry, Entry::Live(resource) if collection.has(resource.kind));
    collection.log(now).since(position..).filter(|(_, entry)| is(entry)).count()
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, ConnectionInfo>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of one stream.
pub(crate) struct Registration {
    registry: Arc<Registry>,
    pub(crate) stream: u64,
}

impl Registration {
    pub(crate) fn update(&self, update: impl FnOnce(&mut ConnectionInfo)) {
        if let Some(info) = self.registry.lock().get_mut(&self.stream) {
            update(info);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.stream);
    }
}
