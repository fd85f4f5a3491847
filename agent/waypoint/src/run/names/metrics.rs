//! How asking for names goes.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::configuration::Answer;

/// Counts questions by what came of them.
#[derive(Clone, Default)]
pub struct NamesMetrics(Family<[(&'static str, &'static str); 1], Counter>);

impl NamesMetrics {
    /// As `weir_dns_lookups_total`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "Questions for the addresses of endpoints that are names, by outcome";
        registry.register("weir_dns_lookups", help, metrics.0.clone());
        metrics
    }

    pub(super) fn asked(&self, answer: &Answer) {
        let outcome = match answer {
            Answer::Addresses(_) => "addresses",
            Answer::None(_) => "none",
            Answer::Failed(_) => "failed",
        };
        self.0.get_or_create(&[("outcome", outcome)]).inc();
    }
}
