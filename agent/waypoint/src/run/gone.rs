//! Clusters that the control plane does not know any more, and that somebody may still need: routes that are replaced a
//! moment later, and requests that were routed before and are not sent yet (a delay, another try).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_proto::l7;

use crate::balance::Cluster;
use crate::configuration::{Picture, Reference, own, references};
use crate::route::BackendRef;

/// When each of them went.
#[derive(Debug, Default)]
pub(super) struct Gone(HashMap<BackendRef, Instant>);

impl Gone {
    /// Adds to `clusters` those of `before` that are still needed.
    pub(super) fn keep(
        &mut self,
        before: &HashMap<BackendRef, Arc<Cluster>>,
        picture: &Picture,
        clusters: &mut HashMap<BackendRef, Arc<Cluster>>,
        now: Instant,
    ) {
        self.0.retain(|key, _| {
            if let Some(back) = clusters.get(key) {
                back.set_retired(false);
            }
            !clusters.contains_key(key) && before.contains_key(key)
        });
        let missing: Vec<_> = before.iter().filter(|(key, _)| !clusters.contains_key(*key)).collect();
        if missing.is_empty() {
            return;
        }
        let named = Named::by(picture);
        for (key, cluster) in missing {
            let since = *self.0.entry(key.clone()).or_insert(now);
            let is_young = now.saturating_duration_since(since) < PATIENCE;
            let is_needed = match picture.backends.contains_key(&key.resource) {
                true => is_young || named.parts.contains(key),
                // Routes in force name a backend that does not exist: that is how it is meant.
                false => is_young && !named.backends.contains(&*key.resource),
            };
            if is_needed {
                cluster.set_retired(!named.parts.contains(key));
                clusters.insert(key.clone(), cluster.clone());
            } else {
                self.0.remove(key);
            }
        }
    }
}

/// What routes in force name.
struct Named {
    parts: HashSet<BackendRef>,
    backends: BTreeSet<String>,
}

impl Named {
    fn by(picture: &Picture) -> Self {
        let frontends = || picture.services.values().map(|served| &*served.routes);
        let all: Vec<Reference> = frontends().flat_map(references).collect();
        let own = frontends().map(|frontend: &l7::Frontend| own(frontend));
        let backends = all.iter().map(|reference| reference.backend.clone()).chain(own).collect();
        let parts = all.into_iter().filter_map(|reference| {
            let port = u16::try_from(reference.port).ok()?;
            Some(BackendRef { resource: reference.backend.into(), port, subset: reference.subset.into() })
        });
        Self { parts: parts.collect(), backends }
    }
}

/// Longer than a request waits for its next try; endpoints that are gone by then are tried like others that fail.
const PATIENCE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;
