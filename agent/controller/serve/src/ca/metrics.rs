//! What the CA counts.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The CA's counters. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct CaMetrics {
    requests: Family<Labels, Counter>,
}

impl CaMetrics {
    /// Shows them in a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Requests for certificates, by what became of them";
        registry.register("weir_ca_requests", help, self.requests.clone());
    }

    pub(super) fn count(&self, result: Outcome) {
        self.requests.get_or_create(&Labels { result }).inc();
    }

    #[cfg(test)]
    pub(super) fn get(&self, result: Outcome) -> u64 {
        self.requests.get_or_create(&Labels { result }).get()
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Outcome {
    Issued,
    /// The caller may not have it.
    Denied,
    /// The request is malformed.
    Invalid,
    Limited,
    /// The CA could not sign.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: Outcome,
}
