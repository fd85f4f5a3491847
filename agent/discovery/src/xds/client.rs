//! The client's side of delta discovery, without the wire: responses in, the mesh and answers out.
//!
//! The state outlives the stream. A new stream begins with [`Client::open`]; every response goes through
//! [`Client::receive`], which applies each resource for itself: what is refused is named in the answer, the rest is in
//! force.

use std::sync::Arc;

use weir_model::Directory;
use weir_proto::MORE_FOLLOWS;
use weir_proto::core::Node;
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use super::apply::{Applied, Kind, Picture};
use super::subscription::Subscription;
use crate::answer::answer;
use crate::{Changes, NodePod};

/// What this agent has learned, and what it says about it.
#[derive(Debug)]
pub struct Client {
    node: Node,
    picture: Picture,
    addresses: Subscription,
    authorizations: Subscription,
    node_pods: Option<Subscription>,
}

/// What came of a response.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What to answer.
    pub answer: DeltaDiscoveryRequest,
    /// What changed.
    pub changes: Changes,
    /// What was refused, as `name: reason`.
    pub refused: Vec<String>,
}

impl Client {
    /// A client that knows nothing yet.
    pub fn new(node: Node) -> Self {
        Self {
            node,
            picture: Picture::default(),
            addresses: Subscription::new(Kind::Address),
            authorizations: Subscription::new(Kind::Authorization),
            node_pods: None,
        }
    }

    /// Also asks for the pods of the node.
    #[must_use]
    pub fn with_node_pods(self) -> Self {
        Self { node_pods: Some(Subscription::new(Kind::NodePod)), ..self }
    }

    /// The requests that begin a stream.
    pub fn open(&mut self) -> Vec<DeltaDiscoveryRequest> {
        let requests: Vec<_> = self.subscriptions().map(Subscription::open).collect();
        let with_node = |request| DeltaDiscoveryRequest { node: Some(self.node.clone()), ..request };
        requests.into_iter().map(with_node).collect()
    }

    /// Applies a response.
    pub fn receive(&mut self, response: DeltaDiscoveryResponse) -> Outcome {
        let DeltaDiscoveryResponse {
            type_url, nonce, resources, removed_resources, system_version_info, ..
        } = response;
        let whole = system_version_info != MORE_FOLLOWS;
        let mut applied = Applied::default();
        let subscription = match Kind::of(&type_url) {
            Some(Kind::Address) => Some(&mut self.addresses),
            Some(Kind::Authorization) => Some(&mut self.authorizations),
            Some(Kind::NodePod) => self.node_pods.as_mut(),
            None => None,
        };
        if let Some(subscription) = subscription {
            for resource in resources {
                self.picture.put(resource, subscription, &mut applied);
            }
            for name in &removed_resources {
                self.picture.remove(name, subscription, &mut applied);
            }
            for name in subscription.batch(whole, applied.refused.is_empty()) {
                self.picture.remove(&name, subscription, &mut applied);
            }
        } else {
            tracing::warn!(%type_url, "a response of a type that was not asked for is passed over");
        }
        let answer = answer(type_url, nonce, &applied.refused);
        Outcome { answer, changes: applied.changes, refused: applied.refused }
    }

    /// The mesh as far as it is known.
    pub fn directory(&self) -> &Directory {
        self.picture.directory()
    }

    /// The mesh, with the pods of the node that the mesh does not have yet.
    pub fn picture(&self) -> Directory {
        self.picture.with_early_pods()
    }

    /// The pods of the node, in the order of their names.
    pub fn node_pods(&self) -> Arc<[Arc<NodePod>]> {
        self.picture.node_pods()
    }

    /// Whether a whole batch of every type came in. Before, what is not known does not mean that it does not exist: a
    /// policy may still be missing, or the workload that an address belongs to.
    pub fn is_complete(&self) -> bool {
        self.all().all(Subscription::is_complete)
    }

    /// Whether a batch of every type was acknowledged.
    pub fn is_ready(&self) -> bool {
        self.all().all(Subscription::is_acknowledged)
    }

    /// Whether every type was answered on this stream.
    pub fn is_answered(&self) -> bool {
        self.all().all(Subscription::is_answered)
    }

    /// Resources that were refused and have not become good since, with the reason.
    pub fn rejected(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let all = self.all().flat_map(Subscription::rejected);
        all.map(|(name, why)| (&**name, why.as_str()))
    }

    fn all(&self) -> impl Iterator<Item = &Subscription> + Clone {
        [&self.addresses, &self.authorizations].into_iter().chain(&self.node_pods)
    }

    fn subscriptions(&mut self) -> impl Iterator<Item = &mut Subscription> {
        [&mut self.addresses, &mut self.authorizations].into_iter().chain(&mut self.node_pods)
    }
}
