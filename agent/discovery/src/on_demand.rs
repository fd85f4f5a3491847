//! Resources of any type that are asked for by name. [`Client`] is the protocol without the wire: responses in, bytes and
//! requests out; [`run`] is the same on streams to a control plane.
//!
//! What a resource means is its asker's business, which says what it wants with [`Client::want`] and may refuse what
//! comes. The state outlives the stream: what was learned stays until the control plane says otherwise, and a new stream
//! begins with what is held, so that only what differs is sent.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use weir_proto::MORE_FOLLOWS;
use weir_proto::core::Node;
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use crate::answer::answer;

mod asker;
mod collection;

pub use asker::{Asker, run};
use collection::Collection;

/// What one program holds of the resources that it asked for.
#[derive(Debug)]
pub struct Client {
    node: Node,
    types: BTreeMap<&'static str, Collection>,
}

/// What came of a response.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What to answer.
    pub answer: DeltaDiscoveryRequest,
    /// The type, and names that are other than before.
    pub changed: Vec<(&'static str, String)>,
    /// What was refused, as `name: reason`; what was held before stays in force.
    pub refused: Vec<String>,
    /// More of the same picture follows: what was taken apart must not be put to use yet.
    pub more: bool,
}

impl Client {
    /// A client that knows nothing and wants nothing of these types yet.
    pub fn new(node: Node, types: &[&'static str]) -> Self {
        Self { node, types: types.iter().map(|url| (*url, Collection::default())).collect() }
    }

    /// The requests that begin a stream: of each type of which something is wanted.
    pub fn open(&mut self) -> Vec<DeltaDiscoveryRequest> {
        let first = |(url, collection): (&&'static str, &mut Collection)| {
            let request = collection.open()?;
            Some(DeltaDiscoveryRequest {
                type_url: (*url).to_owned(),
                node: Some(self.node.clone()),
                ..request
            })
        };
        self.types.iter_mut().filter_map(first).collect()
    }

    /// Wants these names of a type and no others. What is not wanted any more is forgotten. The request that says so, if
    /// the stream has to be told.
    pub fn want(&mut self, type_url: &str, names: BTreeSet<String>) -> Option<DeltaDiscoveryRequest> {
        let (url, collection) = self.types.iter_mut().find(|(url, _)| **url == type_url)?;
        let opens = !collection.is_open();
        let request = collection.want(names)?;
        let node = opens.then(|| self.node.clone());
        Some(DeltaDiscoveryRequest { type_url: (*url).to_owned(), node, ..request })
    }

    /// Takes a response. `check` sees each resource that was asked for, by type and name, and may refuse it.
    pub fn receive(
        &mut self,
        response: DeltaDiscoveryResponse,
        check: &mut dyn FnMut(&'static str, &str, &Bytes) -> Result<(), String>,
    ) -> Outcome {
        let DeltaDiscoveryResponse {
            type_url, nonce, resources, removed_resources, system_version_info, ..
        } = response;
        let mut outcome = Outcome { more: system_version_info == MORE_FOLLOWS, ..Outcome::default() };
        let Some((url, collection)) = self.types.iter_mut().find(|(url, _)| **url == type_url) else {
            tracing::warn!(%type_url, "a response of a type that was not asked for is passed over");
            outcome.answer = answer(type_url, nonce, &[]);
            return outcome;
        };
        for resource in resources {
            let name = resource.name.clone();
            match collection.put(resource, &mut |name, body| check(url, name, body)) {
                Ok(true) => outcome.changed.push((*url, name)),
                Ok(false) => {}
                Err(reason) => outcome.refused.push(format!("{name}: {reason}")),
            }
        }
        for name in removed_resources {
            if collection.remove(&name) {
                outcome.changed.push((*url, name));
            }
        }
        outcome.answer = answer(type_url, nonce, &outcome.refused);
        outcome
    }

    /// A resource, if there is one.
    pub fn get(&self, type_url: &str, name: &str) -> Option<&Bytes> {
        self.types.get(type_url)?.get(name)
    }

    /// Whether the control plane has answered for a name: with a resource, or that there is none.
    pub fn is_known(&self, type_url: &str, name: &str) -> bool {
        self.types.get(type_url).is_some_and(|collection| collection.is_known(name))
    }

    /// What was refused and has not become good since: type, name and reason.
    pub fn rejected(&self) -> impl Iterator<Item = (&'static str, &str, &str)> + Clone {
        let of = |(url, collection): (&&'static str, _)| {
            let url = *url;
            Collection::rejected(collection).map(move |(name, why)| (url, name, why))
        };
        self.types.iter().flat_map(of)
    }

    /// Whether each type of which something is wanted was answered on this stream.
    pub fn is_answered(&self) -> bool {
        self.types.values().all(Collection::is_answered)
    }
}

#[cfg(test)]
mod tests;
