//! How often what was answered.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters of the webhook.
#[derive(Debug, Clone, Default)]
pub struct AdmissionMetrics {
    reviews: Family<Answer, Counter>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    /// allowed, refused, malformed.
    answer: &'static str,
}

impl AdmissionMetrics {
    /// Shows them as `weir_admission_reviews_total`.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Objects that the validating webhook was asked about, by what it answered";
        registry.register("weir_admission_reviews", help, self.reviews.clone());
    }

    pub(super) fn count(&self, answer: &'static str) {
        self.reviews.get_or_create(&Answer { answer }).inc();
    }
}
