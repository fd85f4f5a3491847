//! Policies that are said once more after the workloads that name them.
//!
//! Istio's ztunnel asks its open connections again when policies come, and not when workloads do. A policy goes before
//! the workload that comes to name it, so the one time that it asks, the workload does not name it yet, and a connection
//! that the policy forbids would stay open. Weir's agents ask again after either and are spared this.

use weir_proto::discovery::Resource;

use crate::xds::response::{Batch, Collection};

/// What of the round that is under way has to be repeated.
#[derive(Default)]
pub(super) struct Repeat {
    policies: Vec<Resource>,
    addresses: bool,
    /// A client that asks for policies for the first time has no connections that it let through without them.
    opening: bool,
}

impl Repeat {
    /// Policies were asked for in this round for the first time.
    pub(super) fn opens(&mut self) {
        self.opening = true;
    }

    /// A response was made.
    pub(super) fn sent(&mut self, collection: Collection, batch: &Batch) {
        match collection {
            Collection::Authorization => self.policies.extend(batch.resources.iter().cloned()),
            Collection::Address | Collection::Workload => self.addresses |= !batch.resources.is_empty(),
        }
    }

    /// The repetition, if one is due. The round is over with it.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let Self { policies, addresses, opening } = std::mem::take(self);
        if opening || !addresses || policies.is_empty() {
            return None;
        }
        let size = |resource: &Resource| resource.resource.as_ref().map_or(0, |any| any.value.len());
        let bytes = policies.iter().map(|policy| policy.name.len() + size(policy)).sum();
        Some(Batch { resources: policies, bytes, ..Batch::default() })
    }
}
