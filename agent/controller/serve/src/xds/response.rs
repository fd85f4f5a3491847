//! Responses in the making.

use std::sync::Arc;

use prost_types::Any;
use weir_index::{Resource, ResourceKind};
use weir_proto::{discovery, type_url};

use crate::store::{Log, Published};

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collection {
    /// Policies.
    Authorization,
    /// Workloads and services.
    Address,
    /// Workloads alone, bare.
    Workload,
}

impl Collection {
    pub(crate) fn of(type_url: &str) -> Option<Self> {
        [Self::Authorization, Self::Address, Self::Workload].into_iter().find(|c| c.type_url() == type_url)
    }

    pub(crate) fn type_url(self) -> &'static str {
        match self {
            Self::Authorization => type_url::AUTHORIZATION,
            Self::Address => type_url::ADDRESS,
            Self::Workload => type_url::WORKLOAD,
        }
    }

    /// For metrics and logs.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Address => "address",
            Self::Workload => "workload",
        }
    }

    /// Where its changes are.
    pub(crate) fn log(self, now: &Published) -> &Log {
        match self {
            Self::Authorization => &now.authorizations,
            Self::Address | Self::Workload => &now.addresses,
        }
    }

    /// Whether resources of a kind are part of it.
    pub(crate) fn has(self, kind: ResourceKind) -> bool {
        match self {
            Self::Authorization => kind == ResourceKind::Authorization,
            Self::Address => kind != ResourceKind::Authorization,
            Self::Workload => kind == ResourceKind::Workload,
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
            Collection::Address | Collection::Authorization => &resource.body,
        };
        self.bytes += body.len() + resource.name.len() + OVERHEAD;
        self.resources.push(discovery::Resource {
            version: version(resource),
            resource: Some(Any { type_url: collection.type_url().to_owned(), value: body.to_vec() }),
            name: resource.name.to_string(),
            aliases: match aliases {
                true => resource.aliases.iter().map(|alias| alias.to_string()).collect(),
                false => Vec::new(),
            },
        });
    }

    pub(crate) fn remove(&mut self, name: &Arc<str>) {
        self.bytes += name.len() + 3;
        self.removed.push(name.to_string());
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
