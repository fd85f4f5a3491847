//! Resources of one type.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use weir_proto::discovery::{DeltaDiscoveryRequest, Resource};

/// What is wanted, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Collection {
    wanted: BTreeSet<String>,
    held: BTreeMap<String, Held>,
    /// The control plane said that there is none.
    absent: BTreeSet<String>,
    /// The newest version was refused, and why.
    rejected: BTreeMap<String, String>,
    /// The stream has had a request of this type.
    open: bool,
    answered: bool,
}

#[derive(Debug)]
struct Held {
    version: String,
    body: Bytes,
}

impl Collection {
    /// The first request of a stream. Without names it would ask for everything, so none is made then.
    pub(super) fn open(&mut self) -> Option<DeltaDiscoveryRequest> {
        self.answered = false;
        self.open = !self.wanted.is_empty();
        let version = |(name, held): (&String, &Held)| (name.clone(), held.version.clone());
        self.open.then(|| DeltaDiscoveryRequest {
            resource_names_subscribe: self.wanted.iter().cloned().collect(),
            initial_resource_versions: self.held.iter().map(version).collect(),
            ..DeltaDiscoveryRequest::default()
        })
    }

    pub(super) fn want(&mut self, names: BTreeSet<String>) -> Option<DeltaDiscoveryRequest> {
        let dropped: Vec<String> = self.wanted.difference(&names).cloned().collect();
        let added: Vec<String> = names.difference(&self.wanted).cloned().collect();
        for name in &dropped {
            self.held.remove(name);
            self.absent.remove(name);
            self.rejected.remove(name);
        }
        self.wanted = names;
        if !self.open {
            return self.open();
        }
        (!dropped.is_empty() || !added.is_empty()).then(|| DeltaDiscoveryRequest {
            resource_names_subscribe: added,
            resource_names_unsubscribe: dropped,
            ..DeltaDiscoveryRequest::default()
        })
    }

    /// Whether it is other than before. What nobody wants (any more) is passed over.
    pub(super) fn put(
        &mut self,
        resource: Resource,
        check: &mut dyn FnMut(&str, &Bytes) -> Result<(), String>,
    ) -> Result<bool, String> {
        self.answered = true;
        let Resource { name, version, resource, .. } = resource;
        if !self.wanted.contains(&name) {
            return Ok(false);
        }
        let body: Result<Bytes, _> = resource.map(|any| any.value.into()).ok_or("it has no body".to_owned());
        if let (Some(held), Ok(body)) = (self.held.get_mut(&name), &body)
            && held.body == *body
        {
            held.version = version;
            self.rejected.remove(&name);
            return Ok(false);
        }
        let checked = body.and_then(|body| check(&name, &body).map(|()| body));
        let body = checked.inspect_err(|why| drop(self.rejected.insert(name.clone(), why.clone())))?;
        self.absent.remove(&name);
        self.rejected.remove(&name);
        self.held.insert(name, Held { version, body });
        Ok(true)
    }

    /// Whether it is other than before.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.answered = true;
        self.rejected.remove(name);
        self.wanted.contains(name) && (self.held.remove(name).is_some() | self.absent.insert(name.to_owned()))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Bytes> {
        self.held.get(name).map(|held| &held.body)
    }

    pub(super) fn is_known(&self, name: &str) -> bool {
        self.held.contains_key(name) || self.absent.contains(name)
    }

    pub(super) fn rejected(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.rejected.iter().map(|(name, why)| (name.as_str(), why.as_str()))
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn is_answered(&self) -> bool {
        self.answered || !self.open
    }
}
