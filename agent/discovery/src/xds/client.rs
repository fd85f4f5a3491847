//! The client's side of delta discovery, without the wire: responses in, the mesh and answers out.
//!
//! The state outlives the stream. A new stream begins with [`Client::open`]; every response goes through
//! [`Client::receive`], which applies each resource for itself: what is refused is named in the answer, the rest is in
//! force.

use weir_model::Directory;
use weir_proto::MORE_FOLLOWS;
use weir_proto::core::Node;
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use super::apply::{Applied, Kind, Picture};
use super::subscription::Subscription;
use crate::Changes;
use crate::answer::answer;

/// What this agent has learned, and what it says about it.
#[derive(Debug)]
pub struct Client {
    node: Node,
    picture: Picture,
    addresses: Subscription,
    authorizations: Subscription,
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
        }
    }

    /// The requests that begin a stream.
    pub fn open(&mut self) -> Vec<DeltaDiscoveryRequest> {
        let requests = [self.addresses.open(), self.authorizations.open()];
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

    /// Whether a whole batch of every type came in. Before, what is not known does not mean that it does not exist: a
    /// policy may still be missing, or the workload that an address belongs to.
    pub fn is_complete(&self) -> bool {
        self.addresses.is_complete() && self.authorizations.is_complete()
    }

    /// Whether a batch of every type was acknowledged.
    pub fn is_ready(&self) -> bool {
        self.addresses.is_acknowledged() && self.authorizations.is_acknowledged()
    }

    /// Whether every type was answered on this stream.
    pub fn is_answered(&self) -> bool {
        self.addresses.is_answered() && self.authorizations.is_answered()
    }

    /// Resources that were refused and have not become good since, with the reason.
    pub fn rejected(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let both = self.addresses.rejected().iter().chain(self.authorizations.rejected());
        both.map(|(name, why)| (&**name, why.as_str()))
    }
}
