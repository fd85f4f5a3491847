//! Responses in the making.

use prost_types::Any;
use weir_index::{Layer7, Resource, ResourceKind, unscoped};
use weir_proto::{discovery, type_url};

use crate::store::{Log, Published};

/// What can be asked for, in the order in which a round goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Collection {
    /// Policies.
    Authorization,
    /// Workloads and services.
    Address,
    /// Workloads alone, bare.
    Workload,
    /// What waypoints are told.
    Layer7(Layer7),
    /// The pods of the caller's node: after the workloads that they are.
    NodePod,
}

impl Collection {
    pub(crate) fn of(type_url: &str) -> Option<Self> {
        let layer7 = Layer7::ALL.map(Self::Layer7);
        let others = [Self::Authorization, Self::Address, Self::Workload, Self::NodePod];
        let mut all = others.into_iter().chain(layer7);
        all.find(|collection| collection.type_url() == type_url)
    }

    pub(crate) fn type_url(self) -> &'static str {
        match self {
            Self::Authorization => type_url::AUTHORIZATION,
            Self::Address => type_url::ADDRESS,
            Self::Workload => type_url::WORKLOAD,
            Self::NodePod => type_url::NODE_POD,
            Self::Layer7(Layer7::Labels) => type_url::LABELS,
            Self::Layer7(Layer7::Waypoint) => type_url::WAYPOINT,
            Self::Layer7(Layer7::Frontend) => type_url::FRONTEND,
            Self::Layer7(Layer7::Backend) => type_url::BACKEND,
            Self::Layer7(Layer7::Endpoints) => type_url::ENDPOINTS,
            Self::Layer7(Layer7::Secret) => type_url::SECRET,
        }
    }

    /// For metrics and logs.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Address => "address",
            Self::Workload => "workload",
            Self::Layer7(kind) => kind.word(),
            Self::NodePod => "node_pod",
        }
    }

    /// Where its changes are.
    pub(crate) fn log(self, now: &Published) -> &Log {
        match self {
            Self::Authorization => &now.authorizations,
            Self::Address | Self::Workload => &now.addresses,
            Self::Layer7(kind) => &now.layer7[kind],
            Self::NodePod => &now.node_pods,
        }
    }

    /// A name as a client knows it.
    pub(crate) fn outside(self, name: &str) -> &str {
        match self {
            Self::Layer7(_) | Self::NodePod => unscoped(name),
            Self::Authorization | Self::Address | Self::Workload => name,
        }
    }

    /// Whether what has this name is a client's of this node, where clients are given what is their node's only.
    pub(crate) fn is_for(self, name: &str, node: &str) -> bool {
        match self {
            Self::NodePod => {
                name.strip_prefix(node).is_some_and(|rest| !node.is_empty() && rest.starts_with('/'))
            }
            Self::Authorization | Self::Address | Self::Workload | Self::Layer7(_) => true,
        }
    }

    /// Whether resources of a kind are part of it.
    pub(crate) fn has(self, kind: ResourceKind) -> bool {
        match self {
            Self::Authorization => kind == ResourceKind::Authorization,
            Self::Address => matches!(kind, ResourceKind::Workload | ResourceKind::Service),
            Self::Workload => kind == ResourceKind::Workload,
            Self::Layer7(own) => kind == ResourceKind::Layer7(own),
            Self::NodePod => kind == ResourceKind::NodePod,
        }
    }
}

/// Resources and removals of one response.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Batch {
    pub(crate) resources: Vec<discovery::Resource>,
    pub(crate) removed: Vec<String>,
    pub(crate) bytes: usize,
    /// The rest follows in another response.
    pub(crate) more: bool,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.removed.is_empty()
    }

    pub(crate) fn push(&mut self, collection: Collection, resource: &Resource, aliases: bool) {
        let body = match collection {
            Collection::Workload => bare(&resource.body),
            _ => &resource.body,
        };
        let name = collection.outside(&resource.name);
        self.bytes += body.len() + name.len() + OVERHEAD;
        self.resources.push(discovery::Resource {
            version: version(resource),
            resource: Some(Any { type_url: collection.type_url().to_owned(), value: body.to_vec() }),
            name: name.to_owned(),
            aliases: match aliases {
                true => resource.aliases.iter().map(|alias| alias.to_string()).collect(),
                false => Vec::new(),
            },
        });
    }

    pub(crate) fn remove(&mut self, collection: Collection, name: &str) {
        let name = collection.outside(name);
        self.bytes += name.len() + 3;
        self.removed.push(name.to_owned());
    }
}

/// A version as it is on the wire.
pub(crate) fn version(resource: &Resource) -> String {
    format!("{:016x}", resource.version)
}

/// Whether a client's version is this one, without making a text of it.
pub(crate) fn is_version(resource: &Resource, version: &str) -> bool {
    version.len() == 16 && u64::from_str_radix(version, 16) == Ok(resource.version)
}

/// The `Workload` in an encoded `Address`. An address holds one field, whose key is one byte, and its length.
fn bare(address: &[u8]) -> &[u8] {
    let length = address.iter().skip(1).take_while(|byte| **byte & 0x80 != 0).count() + 1;
    &address[(1 + length).min(address.len())..]
}

/// Of a resource beside its name and body: the type, the version, keys and lengths.
const OVERHEAD: usize = 80;
