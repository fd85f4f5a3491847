//! By whose word tokens are believed.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counts tokens that were believed. What is remembered for a minute is counted once.
pub(super) struct TokenMetrics(Family<Labels, Counter>);

/// Who said that a token is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Judge {
    /// The API server.
    Review,
    /// The cluster's public keys, while it is away.
    Keys,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    by: Judge,
}

impl TokenMetrics {
    /// Shows them in a registry.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let believed = Family::default();
        let help =
            "Tokens that were believed, by whose word: the API server's review, or its keys while it is away";
        registry.register("weir_tokens_believed", help, believed.clone());
        Self(believed)
    }

    pub(super) fn believed(&self, by: Judge) {
        self.0.get_or_create(&Labels { by }).inc();
    }

    #[cfg(test)]
    pub(super) fn get(&self, by: Judge) -> u64 {
        self.0.get_or_create(&Labels { by }).get()
    }
}
