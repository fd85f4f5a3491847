//! The certificate service: `istio.v1.auth.IstioCertificateService`.
//!
//! A certificate names whom the caller proved to be, or a service account that runs on the node that the caller proved to
//! be on. Of the request itself nothing but the public key counts.

mod limit;
mod metrics;
mod node;
mod service;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

pub use limit::RateLimit;
pub use metrics::CaMetrics;
pub use node::{Denied, NodeAgents, Placement, PodPlace};
pub use service::CaService;

/// What the CA gives to whom.
#[derive(Debug, Clone)]
pub struct CaConfig {
    /// The trust domain of all identities.
    pub trust_domain: Arc<str>,
    /// Service accounts (namespace, name) of node agents: they may ask on behalf of the pods of their node.
    pub trusted_node_accounts: HashSet<(Arc<str>, Arc<str>)>,
    /// Whether a token that is bound to a node but to no pod proves the node. For tokens of our own, where the mesh has
    /// no pod of the agent; with Kubernetes' tokens the pod is asked for.
    pub node_tokens: bool,
    /// Longest lifetime that is given; who asks for more gets this. A rotation of the root counts on it.
    pub max_lifetime: Duration,
    /// Requests of one caller.
    pub rate: RateLimit,
}

impl Default for CaConfig {
    fn default() -> Self {
        Self {
            trust_domain: "cluster.local".into(),
            trusted_node_accounts: HashSet::new(),
            node_tokens: false,
            max_lifetime: MAX_LIFETIME,
            rate: RateLimit::default(),
        }
    }
}

/// To ask for more than this is an error (as in Istio), and not a wish that is granted in part.
const MAX_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// For those who name no lifetime (as in Istio).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(24 * 3600);
