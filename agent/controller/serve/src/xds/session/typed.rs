//! One type on a stream: what is asked for, and what was answered.

use weir_proto::discovery::DeltaDiscoveryResponse;

use super::nonce::Nonces;
use crate::connections::TypeInfo;
use crate::xds::response::{Batch, Collection};
use crate::xds::subscription::Subscription;

/// One type.
pub(super) struct Typed {
    pub(super) collection: Collection,
    pub(super) subscription: Subscription,
    pub(super) nonces: Nonces,
}

/// A response, and what is counted about it.
#[derive(Debug)]
pub(crate) struct Push {
    pub(crate) response: DeltaDiscoveryResponse,
    pub(crate) label: &'static str,
    pub(crate) bytes: usize,
}

impl Typed {
    /// For people who look.
    pub(super) fn info(&self) -> TypeInfo {
        let (names, known) = self.subscription.sizes();
        TypeInfo {
            type_url: self.collection.type_url().to_owned(),
            wildcard: self.subscription.is_wildcard(),
            names,
            known,
            owed: self.subscription.owed(),
            nonce_sent: self.nonces.last.clone(),
            nonce_acked: self.nonces.acked.clone(),
            nacks: self.nonces.nacks,
            nack_reason: self.nonces.reason.clone(),
            behind: 0,
            position: self.subscription.position(),
        }
    }
}

/// A batch as it goes out.
pub(super) fn push(collection: Collection, batch: Batch, nonce: String) -> Push {
    let more = if batch.more { weir_proto::MORE_FOLLOWS } else { "" };
    let response = DeltaDiscoveryResponse {
        system_version_info: more.to_owned(),
        resources: batch.resources,
        type_url: collection.type_url().to_owned(),
        nonce,
        removed_resources: batch.removed,
        control_plane: None,
    };
    Push { response, label: collection.label(), bytes: batch.bytes }
}
