//! Who may have a certificate of whom.

use std::sync::Arc;

use weir_model::Identity;

use super::CaConfig;
use crate::auth::Caller;

/// Where pods are, as the mesh knows it now.
pub trait Placement: Send + Sync {
    /// Whether it knows anything yet.
    fn is_ready(&self) -> bool;
    /// The pod of this namespace and name.
    fn pod(&self, namespace: &str, name: &str) -> Option<PodPlace>;
    /// Whether a pod of this service account is on this node.
    fn runs(&self, node: &str, namespace: &str, service_account: &str) -> bool;
}

/// Who a pod is, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodPlace {
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// Its service account.
    pub service_account: Arc<str>,
    /// Its node; empty while it has none.
    pub node: Arc<str>,
}

/// Whom the certificate is for: the caller itself, or who is asked for and runs on the caller's node.
///
/// # Errors
/// Why the caller gets no such certificate.
pub(super) fn authorise(
    caller: &Caller,
    asked: Option<&Identity>,
    placement: &dyn Placement,
    config: &CaConfig,
) -> Result<Identity, Denied> {
    let own = Identity::new(&config.trust_domain, &caller.namespace, &caller.service_account)
        .map_err(|error| Denied::Name(error.to_string()))?;
    let Some(asked) = asked.filter(|asked| **asked != own) else {
        return Ok(own);
    };
    // Istio signs for any trust domain here; a certificate of another mesh is not ours to give.
    if asked.trust_domain() != &*config.trust_domain {
        return Err(Denied::TrustDomain { own: config.trust_domain.clone() });
    }
    if !is_node_agent(caller, config) {
        return Err(Denied::NotTrusted);
    }
    let node = node_of(caller, placement, config)?;
    match placement.runs(&node, asked.namespace(), asked.service_account()) {
        true => Ok(asked.clone()),
        false => Err(Denied::NotThere { asked: asked.clone(), node }),
    }
}

/// Who is the agent of a node: an account that is trusted with that, on the node that its proof says.
#[derive(Clone)]
pub struct NodeAgents {
    placement: Arc<dyn Placement>,
    config: Arc<CaConfig>,
}

impl NodeAgents {
    /// By the same rule by which they get certificates for pods of their node.
    pub fn new(placement: Arc<dyn Placement>, config: CaConfig) -> Self {
        Self { placement, config: Arc::new(config) }
    }

    /// The node that the caller is the agent of.
    ///
    /// # Errors
    /// It is none's, or not provably.
    pub fn node_of(&self, caller: &Caller) -> Result<Arc<str>, Denied> {
        match is_node_agent(caller, &self.config) {
            true => node_of(caller, &*self.placement, &self.config),
            false => Err(Denied::NotTrusted),
        }
    }
}

/// Whether its account is one that may ask for others.
pub(super) fn is_node_agent(caller: &Caller, config: &CaConfig) -> bool {
    let account = (caller.namespace.clone(), caller.service_account.clone());
    config.trusted_node_accounts.contains(&account)
}

/// The node that the caller proved to be on.
fn node_of(caller: &Caller, placement: &dyn Placement, config: &CaConfig) -> Result<Arc<str>, Denied> {
    let Some(proved) = &caller.pod else {
        let node = caller.node.clone().filter(|node| config.node_tokens && !node.is_empty());
        return node.ok_or(Denied::NoPod);
    };
    let unknown = || Denied::NoSuchPod { namespace: caller.namespace.clone(), name: proved.name.clone() };
    let pod = placement.pod(&caller.namespace, &proved.name).ok_or_else(unknown)?;
    // A pod of the same name that came after it is another one.
    if proved.uid.is_empty() || pod.uid != proved.uid {
        return Err(unknown());
    }
    if pod.service_account != caller.service_account {
        return Err(Denied::OtherAccount { runs_as: pod.service_account });
    }
    if pod.node.is_empty() {
        return Err(unknown());
    }
    match &caller.node {
        Some(node) if *node != pod.node => Err(Denied::OtherNode { pod: pod.node, token: node.clone() }),
        Some(_) | None => Ok(pod.node),
    }
}

/// Why there is no certificate for this caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Its names cannot be in a certificate.
    #[error("{0}")]
    Name(String),
    /// Of another mesh.
    #[error("certificates are given for trust domain {own} only; has the agent the right one?")]
    TrustDomain {
        /// Ours.
        own: Arc<str>,
    },
    /// An ordinary workload that asks for somebody else.
    #[error("the caller's account may only ask for itself; is it in the trusted node accounts?")]
    NotTrusted,
    /// A proof that says nothing of a node.
    #[error("the caller's token is not bound to a pod, so nobody knows on which node it is")]
    NoPod,
    /// Unknown, or another one by now.
    #[error("the caller's pod {namespace}/{name} is not known (yet), or is another one by now")]
    NoSuchPod {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// The pod has another account than the token.
    #[error("the caller's pod runs as {runs_as}")]
    OtherAccount {
        /// The pod's account.
        runs_as: Arc<str>,
    },
    /// Pod and token contradict each other.
    #[error("the caller's token is of node {token}, its pod is on {pod}")]
    OtherNode {
        /// Where the pod is.
        pod: Arc<str>,
        /// What the token says.
        token: Arc<str>,
    },
    /// Nobody of that name on that node.
    #[error("no pod with {asked} is known (yet) on node {node}")]
    NotThere {
        /// Who was asked for.
        asked: Identity,
        /// The caller's node.
        node: Arc<str>,
    },
}
