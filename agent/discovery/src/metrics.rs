//! What discovery counts.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use weir_model::Directory;

use crate::Changes;

/// Counters and gauges of discovery. Clones share the values.
#[derive(Clone, Default)]
pub struct Metrics {
    pub(crate) applied: Counter,
    pub(crate) refused: Counter,
    /// 1 while the newest state of the source is not what is in force.
    pub(crate) stale: Gauge,
    changed: Counter,
    removed: Counter,
    workloads: Gauge<u64, AtomicU64>,
    services: Gauge<u64, AtomicU64>,
}

impl Metrics {
    /// Adds them to a registry, names as they will be read (`weir_discovery_...`).
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("weir_discovery");
        registry.register("applied", "Versions of the mesh file put in force", self.applied.clone());
        registry.register(
            "refused",
            "Versions of the mesh file refused, or not readable",
            self.refused.clone(),
        );
        registry.register(
            "stale",
            "1 while the newest mesh file is refused and an older one is in force",
            self.stale.clone(),
        );
        registry.register(
            "resources_changed",
            "Workloads and services added or replaced",
            self.changed.clone(),
        );
        registry.register("resources_removed", "Workloads and services removed", self.removed.clone());
        registry.register("workloads", "Workloads known", self.workloads.clone());
        registry.register("services", "Services known", self.services.clone());
    }

    pub(crate) fn publish(&self, directory: &Directory) {
        self.workloads.set(directory.workloads().len() as u64);
        self.services.set(directory.services().len() as u64);
    }

    pub(crate) fn accept(&self, changes: &Changes) {
        self.applied.inc();
        self.stale.set(0);
        self.changed.inc_by((changes.workloads + changes.services) as u64);
        self.removed.inc_by((changes.workloads_removed + changes.services_removed) as u64);
    }

    pub(crate) fn refuse(&self) {
        self.refused.inc();
        self.stale.set(1);
    }
}
