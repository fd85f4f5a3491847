//! Lists that begin again.

use std::collections::{BTreeMap, BTreeSet};

use weir_resources::{Key, Kind};

/// Which kinds were complete once, and what of a list that runs was not named yet.
#[derive(Debug, Default)]
pub(super) struct Sync {
    complete: BTreeSet<Kind>,
    running: BTreeMap<Kind, BTreeSet<Key>>,
}

impl Sync {
    /// A list begins; `known` is what is there of the kind.
    pub(super) fn begin(&mut self, kind: Kind, known: BTreeSet<Key>) {
        self.running.insert(kind, known);
    }

    /// An object is there.
    pub(super) fn seen(&mut self, key: &Key) {
        if let Some(unnamed) = self.running.get_mut(&key.kind) {
            unnamed.remove(key);
        }
    }

    /// A list ends: what it did not name.
    pub(super) fn end(&mut self, kind: Kind) -> BTreeSet<Key> {
        self.complete.insert(kind);
        self.running.remove(&kind).unwrap_or_default()
    }

    pub(super) fn is_complete(&self) -> bool {
        // What is read by name is never complete, and nothing waits for it.
        Kind::ALL.iter().all(|kind| kind.is_read_by_name() || self.complete.contains(kind))
    }
}
