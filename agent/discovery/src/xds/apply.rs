//! From resources to the directory, one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::Message;

use weir_model::Directory;
use weir_proto::discovery::Resource;
use weir_proto::type_url;

use super::subscription::Subscription;
use super::version::Version;
use crate::intern::Interner;
use crate::{Changes, NodePod};

mod address;
mod node_pod;
mod policy;

/// What the resources of one type are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Workloads and services.
    Address,
    /// Policies.
    Authorization,
    /// Pods of the node.
    NodePod,
}

/// The mesh as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Picture {
    directory: Directory,
    texts: Interner,
    node_pods: BTreeMap<Arc<str>, Arc<NodePod>>,
}

/// What one response did.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) changes: Changes,
    /// What was refused, as `name: reason`.
    pub(super) refused: Vec<String>,
}

impl Kind {
    pub(super) fn of(url: &str) -> Option<Self> {
        [Self::Address, Self::Authorization, Self::NodePod].into_iter().find(|kind| kind.type_url() == url)
    }

    pub(super) fn type_url(self) -> &'static str {
        match self {
            Self::Address => type_url::ADDRESS,
            Self::Authorization => type_url::AUTHORIZATION,
            Self::NodePod => type_url::NODE_POD,
        }
    }
}

impl Picture {
    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Puts a resource in force, or remembers why not.
    pub(super) fn put(&mut self, resource: Resource, subscription: &mut Subscription, applied: &mut Applied) {
        let Resource { name, version, resource: body, .. } = resource;
        let (changes, version) = (&mut applied.changes, Version::from(version));
        let outcome = match subscription.kind() {
            Kind::Address => decode(Kind::Address, body).and_then(|m| self.put_address(&name, m, changes)),
            Kind::Authorization => self.put_policy(&name, decode(Kind::Authorization, body), changes),
            Kind::NodePod => decode(Kind::NodePod, body).and_then(|m| self.put_node_pod(&name, m, changes)),
        };
        match outcome {
            Ok(name) => subscription.took(name, version),
            Err(why) => {
                applied.refused.push(format!("{name}: {why}"));
                let in_force = self.has(subscription.kind(), &name);
                subscription.refused(name.into(), &why, in_force);
            }
        }
    }

    /// Takes what has this name out of force.
    pub(super) fn remove(&mut self, name: &str, subscription: &mut Subscription, applied: &mut Applied) {
        subscription.removed(name);
        match subscription.kind() {
            Kind::Address => self.remove_address(name, &mut applied.changes),
            Kind::Authorization => {
                applied.changes.policies_removed += usize::from(self.directory.remove_policy(name));
            }
            Kind::NodePod => {
                applied.changes.node_pods += usize::from(self.node_pods.remove(name).is_some());
            }
        }
    }

    fn has(&self, kind: Kind, name: &str) -> bool {
        match kind {
            Kind::Address => self.has_address(name),
            Kind::Authorization => self.directory.policy(name).is_some(),
            Kind::NodePod => self.node_pods.contains_key(name),
        }
    }
}

fn decode<M: Message + Default>(kind: Kind, body: Option<prost_types::Any>) -> Result<M, String> {
    let body = body.ok_or("the resource is empty")?;
    if body.type_url != kind.type_url() {
        return Err(format!("it is of type {:?}", body.type_url));
    }
    M::decode(&*body.value).map_err(|error| error.to_string())
}

/// A resource has one name; under two it could be put in force by one and not be removed by the other.
fn same_name(given: &str, key: &str) -> Result<(), String> {
    match given.is_empty() || given == key {
        true => Ok(()),
        false => Err(format!("the resource in it is {key:?}")),
    }
}

/// The name that a resource is held by.
type Name = Arc<str>;
