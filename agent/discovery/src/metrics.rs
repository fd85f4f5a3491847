//! What discovery counts.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use weir_model::Directory;

use crate::{Changes, xds};

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
    policies: Gauge<u64, AtomicU64>,
    xds: xds::Metrics,
}

impl Metrics {
    /// Adds them to a registry, names as they will be read (`weir_discovery_...`, `istio_xds_...`).
    pub fn register(&self, registry: &mut Registry) {
        self.xds.register(registry);
        let registry = registry.sub_registry_with_prefix("weir_discovery");
        registry.register(
            "applied",
            "Versions of the mesh file, or responses of the control plane, put in force",
            self.applied.clone(),
        );
        registry.register(
            "refused",
            "Versions of the mesh file refused, or not readable; responses of which something was refused",
            self.refused.clone(),
        );
        registry.register(
            "stale",
            "1 while the newest of the mesh (a file, or something in a response) is refused and older is in force",
            self.stale.clone(),
        );
        registry.register(
            "resources_changed",
            "Workloads, services and policies added or replaced",
            self.changed.clone(),
        );
        registry.register(
            "resources_removed",
            "Workloads, services and policies removed",
            self.removed.clone(),
        );
        registry.register("workloads", "Workloads known", self.workloads.clone());
        registry.register("services", "Services known", self.services.clone());
        registry.register("policies", "Policies known", self.policies.clone());
    }

    /// What streams count; one for all streams of the process.
    pub fn streams(&self) -> xds::Metrics {
        self.xds.clone()
    }

    pub(crate) fn publish(&self, directory: &Directory) {
        self.workloads.set(directory.workloads().len() as u64);
        self.services.set(directory.services().len() as u64);
        self.policies.set(directory.policies().len() as u64);
    }

    pub(crate) fn accept(&self, changes: &Changes) {
        self.applied.inc();
        self.stale.set(0);
        self.count(changes);
    }

    /// Some of a response was refused, the rest is in force.
    pub(crate) fn accept_partly(&self, changes: &Changes) {
        self.refuse();
        self.count(changes);
    }

    fn count(&self, changes: &Changes) {
        let Changes { workloads, services, policies, .. } = changes;
        self.changed.inc_by((workloads + services + policies) as u64);
        let Changes { workloads_removed, services_removed, policies_removed, .. } = changes;
        self.removed.inc_by((workloads_removed + services_removed + policies_removed) as u64);
    }

    pub(crate) fn refuse(&self) {
        self.refused.inc();
        self.stale.set(1);
    }
}
