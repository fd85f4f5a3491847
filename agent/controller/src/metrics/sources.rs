//! How the kinds of a cluster are read, as numbers.

use std::sync::atomic::Ordering;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use weir_sources::Health;

/// By kind. A directory has none.
pub(super) struct Sources {
    health: Option<Health>,
    well: Family<[(&'static str, &'static str); 1], Gauge>,
    errors: Family<[(&'static str, &'static str); 1], Counter>,
}

impl Sources {
    pub(super) fn register(health: Option<Health>, registry: &mut Registry) -> Self {
        let sources = Self { health, well: Family::default(), errors: Family::default() };
        if sources.health.is_some() {
            let well = "1 where what is known of a kind is what the cluster has, 0 while it cannot be read";
            registry.register("weir_source_well", well, sources.well.clone());
            registry.register("weir_source_errors", "Failures to read a kind", sources.errors.clone());
        }
        sources
    }

    /// Takes over what is known now.
    pub(super) fn look(&self) {
        for (kind, health) in self.health.iter().flat_map(Health::details) {
            let label = [("kind", kind.name())];
            self.well.get_or_create(&label).set(health.state.is_well().into());
            self.errors.get_or_create(&label).inner().store(health.errors, Ordering::Relaxed);
        }
    }
}
