//! The policies as they were published, and which of them changed since somebody asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_proto::security::Authorization;

/// The published policies by `namespace/name`.
#[derive(Debug, Default)]
pub(super) struct Published {
    policies: BTreeMap<Arc<str>, Authorization>,
    changed: BTreeSet<Arc<str>>,
}

impl Published {
    /// A policy is this now, or (`None`) is gone.
    pub(super) fn set(&mut self, key: &Arc<str>, policy: Option<Authorization>) {
        if self.policies.get(key) == policy.as_ref() {
            return;
        }
        self.changed.insert(key.clone());
        match policy {
            Some(policy) => self.policies.insert(key.clone(), policy),
            None => self.policies.remove(key),
        };
    }

    /// What changed since the last call, in the order of the keys.
    pub(super) fn take_changed(&mut self) -> Vec<(Arc<str>, Option<Authorization>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|key| (key.clone(), self.policies.get(&key).cloned())).collect()
    }
}
