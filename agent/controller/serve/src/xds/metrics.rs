//! What the streams count.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Counters of all streams. Clones share the values.
#[derive(Debug, Clone)]
pub struct XdsMetrics {
    pub(super) streams: Gauge,
    pushes: Family<Labels, Counter>,
    bytes: Family<Labels, Counter>,
    nacks: Family<Labels, Counter>,
    refused: Family<[(&'static str, &'static str); 1], Counter>,
    duration: Histogram,
}

type Labels = [(&'static str, &'static str); 1];

impl XdsMetrics {
    /// Makes the counters and registers them (`weir_xds_...`).
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            streams: Gauge::default(),
            pushes: Family::default(),
            bytes: Family::default(),
            nacks: Family::default(),
            refused: Family::default(),
            duration: Histogram::new(BUCKETS),
        };
        let registry = registry.sub_registry_with_prefix("weir_xds");
        registry.register("streams", "Streams open now", metrics.streams.clone());
        registry.register("pushes", "Responses sent, by type of resource", metrics.pushes.clone());
        registry.register("push_bytes", "Bytes of resources and names sent", metrics.bytes.clone());
        registry.register("nacks", "Responses that a client refused", metrics.nacks.clone());
        registry.register("streams_ended", "Streams ended by us, by gRPC status", metrics.refused.clone());
        registry.register(
            "push_duration_seconds",
            "From the publication of a change to its last response being handed to a stream",
            metrics.duration.clone(),
        );
        metrics
    }

    pub(super) fn push(&self, kind: &'static str, bytes: usize) {
        self.pushes.get_or_create(&[("type", kind)]).inc();
        self.bytes.get_or_create(&[("type", kind)]).inc_by(bytes as u64);
    }

    pub(super) fn nack(&self, kind: &'static str) {
        self.nacks.get_or_create(&[("type", kind)]).inc();
    }

    pub(super) fn end(&self, code: &'static str) {
        self.refused.get_or_create(&[("code", code)]).inc();
    }

    pub(super) fn caught_up(&self, took: Duration) {
        self.duration.observe(took.as_secs_f64());
    }
}

impl Default for XdsMetrics {
    fn default() -> Self {
        Self::register(&mut Registry::default())
    }
}

const BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.25, 1.0, 10.0];
