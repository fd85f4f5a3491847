//! Backends and their endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_proto::l7;

use super::ByName;
use super::kept::{self, Kept};
use super::named::Reference;
use super::picture::Destination;

/// By name.
#[derive(Debug, Default)]
pub(super) struct Backends(BTreeMap<Arc<str>, Entry>);

/// `None`: not answered for yet; `Some(None)`: there is none.
#[derive(Debug, Default)]
struct Entry {
    backend: Option<Option<Arc<l7::Backend>>>,
    endpoints: Option<Option<Arc<l7::Endpoints>>>,
    joined: Option<Arc<Destination>>,
}

impl Backends {
    pub(super) fn put(&mut self, name: &str, backend: l7::Backend) {
        self.entry(name).backend = Some(Some(backend.into()));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.entry(name).backend = Some(None);
    }

    pub(super) fn put_endpoints(&mut self, name: &str, endpoints: l7::Endpoints) {
        self.entry(name).endpoints = Some(Some(endpoints.into()));
    }

    pub(super) fn remove_endpoints(&mut self, name: &str) {
        self.entry(name).endpoints = Some(None);
    }

    /// Whether the control plane has answered for both halves, and all is there that they name.
    pub(super) fn is_known(&self, name: &str, kept: &Kept) -> bool {
        self.0.get(name).is_some_and(|entry| entry.is_known(kept))
    }

    /// Whether requests can be sent there, or never will be because the whole backend is not there.
    pub(super) fn has(&self, reference: &Reference) -> bool {
        match self.0.get(&*reference.backend).and_then(|entry| entry.backend.as_ref()) {
            Some(Some(backend)) => backend
                .clusters
                .iter()
                .any(|cluster| cluster.port == reference.port && cluster.subset == reference.subset),
            Some(None) => true,
            None => false,
        }
    }

    /// Secrets that clusters name.
    pub(super) fn secrets(&self) -> BTreeSet<String> {
        let backends = self.0.values().filter_map(|entry| entry.backend.as_ref()?.as_deref());
        backends.flat_map(kept::secrets).map(str::to_owned).collect()
    }

    /// Names that endpoints have in the place of addresses.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let endpoints = self.0.values().filter_map(|entry| entry.endpoints.as_ref()?.as_deref());
        endpoints.flat_map(kept::names).map(str::to_owned).collect()
    }

    pub(super) fn retain(&mut self, wanted: impl Fn(&str) -> bool) {
        self.0.retain(|name, _| wanted(name));
    }

    /// Those that are there, whole. What is the same as before stays the same.
    pub(super) fn destinations(&mut self, kept: &Kept) -> ByName<Arc<Destination>> {
        let join = |(name, entry): (&Arc<str>, &mut Entry)| Some((name.clone(), entry.join(kept)?));
        self.0.iter_mut().filter_map(join).collect()
    }

    fn entry(&mut self, name: &str) -> &mut Entry {
        self.0.entry(name.into()).or_default()
    }
}

impl Entry {
    fn is_known(&self, kept: &Kept) -> bool {
        match (&self.backend, &self.endpoints) {
            (Some(Some(backend)), Some(Some(endpoints))) => {
                covers(endpoints, backend) && kept.has_all(backend, endpoints)
            }
            (Some(Some(backend)), Some(None)) => kept.has_all(backend, &l7::Endpoints::default()),
            (Some(None), Some(_)) => true,
            (None, _) | (_, None) => false,
        }
    }

    fn join(&mut self, kept: &Kept) -> Option<Arc<Destination>> {
        let is_known = self.is_known(kept);
        self.joined = match (&self.backend, &self.endpoints) {
            // What it needs is on its way.
            (Some(Some(_)), Some(_)) if !is_known => self.joined.take(),
            (Some(Some(backend)), Some(endpoints)) => {
                let (endpoints, unresolved) = kept.resolve(&endpoints.clone().unwrap_or_default());
                let credentials = kept.credentials(backend);
                let new = Destination { backend: backend.clone(), endpoints, credentials, unresolved };
                match self.joined.take().filter(|old| **old == new) {
                    Some(same) => Some(same),
                    None => Some(new.into()),
                }
            }
            // Half of it: what is there stays, as long as nobody says that it went.
            (Some(Some(_)) | None, None) | (None, Some(_)) => self.joined.take(),
            (Some(None), _) => None,
        };
        self.joined.clone()
    }
}

/// Whether the endpoints are those of these subsets: the two come one after the other.
fn covers(endpoints: &l7::Endpoints, backend: &l7::Backend) -> bool {
    let subsets = backend.clusters.iter().map(|cluster| &cluster.subset);
    subsets.filter(|subset| !subset.is_empty()).all(|subset| endpoints.subsets.contains(subset))
}
