//! What is served at this moment, for those who serve and for those who ask about it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use super::clients::Clients;
use super::pods::Pods;
use crate::balance::Cluster;
use crate::configuration::Picture;
use crate::proxy::{Backends, Service};
use crate::route::BackendRef;

/// What is served. One writes it ([`Feed`](super::Feed)), everybody reads.
#[derive(Default)]
pub struct Serving {
    pub(super) tables: ArcSwap<Tables>,
    /// What has to come before all is served that should be; empty: nothing.
    pub(super) pending: ArcSwap<Vec<String>>,
    pub(super) complete: AtomicBool,
    /// Those who call.
    pub(super) clients: Clients,
    /// Those who are called by their own addresses.
    pub(super) pods: Pods,
}

/// What one picture has become.
#[derive(Clone, Default)]
pub(super) struct Tables {
    /// By namespace/hostname.
    pub(super) services: HashMap<Arc<str>, Arc<Service>>,
    /// Those of one hostname.
    pub(super) hosts: HashMap<Arc<str>, Vec<Arc<Service>>>,
    pub(super) clusters: HashMap<BackendRef, Arc<Cluster>>,
    pub(super) picture: Picture,
}

impl Serving {
    /// Whether everything was served, once, that the control plane wants served or that was not refused.
    pub fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// What is waited for.
    pub fn pending(&self) -> Arc<Vec<String>> {
        self.pending.load_full()
    }

    /// What the control plane said, as far as it is in force.
    pub fn picture(&self) -> Picture {
        self.tables.load().picture.clone()
    }

    /// The service of this name (namespace/hostname).
    pub fn service(&self, name: &str) -> Option<Arc<Service>> {
        self.tables.load().services.get(name).cloned()
    }

    /// The service of this hostname; if several namespaces have one, that of `namespace`, else the first.
    pub(super) fn host(&self, hostname: &str, namespace: &str) -> Option<Arc<Service>> {
        let tables = self.tables.load();
        let all = tables.hosts.get(hostname)?;
        let is_own = |service: &&Arc<Service>| {
            service.resource.split_once('/').is_some_and(|(own, _)| own == namespace)
        };
        all.iter().find(is_own).or(all.first()).cloned()
    }

    /// The clusters of a backend (namespace/hostname), in the order of ports and subsets.
    pub fn clusters(&self, backend: &str) -> Vec<Arc<Cluster>> {
        let tables = self.tables.load();
        let own = tables.clusters.iter().filter(|(name, _)| &*name.resource == backend);
        let mut own: Vec<_> = own.collect();
        own.sort_by(|(a, _), (b, _)| (a.port, &a.subset).cmp(&(b.port, &b.subset)));
        own.into_iter().map(|(_, cluster)| cluster.clone()).collect()
    }
}

impl Backends for Serving {
    fn cluster(&self, backend: &BackendRef) -> Option<Arc<Cluster>> {
        let known = self.tables.load().clusters.get(backend).cloned();
        known.or_else(|| self.pods.cluster(backend))
    }
}
