//! The names in a request.

use weir_proto::discovery::DeltaDiscoveryRequest;

use super::Held;

/// What a request asks for, gives up, and holds.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) subscribe: &'a [String],
    pub(crate) unsubscribe: &'a [String],
    pub(crate) held: &'a Held,
}

impl<'a> Asked<'a> {
    pub(crate) fn of(request: &'a DeltaDiscoveryRequest) -> Self {
        Self {
            subscribe: &request.resource_names_subscribe,
            unsubscribe: &request.resource_names_unsubscribe,
            held: &request.initial_resource_versions,
        }
    }

    /// Whether there is nothing in it for a subscription that is there already.
    pub(crate) fn is_empty(&self) -> bool {
        self.subscribe.is_empty() && self.unsubscribe.is_empty()
    }

    /// The length of the longest name in it.
    pub(crate) fn longest(&self) -> usize {
        let all = self.subscribe.iter().chain(self.unsubscribe).chain(self.held.keys());
        all.map(String::len).max().unwrap_or_default()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.subscribe.iter().map(String::as_str).filter(|name| *name != "*")
    }

    pub(super) fn unsubscribed(&self) -> impl Iterator<Item = &'a str> {
        self.unsubscribe.iter().map(String::as_str).filter(|name| *name != "*")
    }

    pub(super) fn has_star(&self) -> bool {
        self.subscribe.iter().any(|name| name == "*")
    }

    pub(super) fn drops_star(&self) -> bool {
        self.unsubscribe.iter().any(|name| name == "*")
    }
}
