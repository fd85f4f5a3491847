//! Kinds of which little is read: a node, a config map.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::scalar::Text;
use crate::{ConfigMap, Meta, Node};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    status: Status,
}

impl From<Document> for Node {
    fn from(document: Document) -> Self {
        let addresses = document.status.addresses;
        let addresses =
            addresses.iter().filter(|address| matches!(&*address.kind.0, "InternalIP" | "ExternalIP"));
        // Whoever runs the nodes writes these, and one odd one must not take the node's locality from its pods.
        let addresses = addresses.filter_map(|address| address.address.0.parse::<IpAddr>().ok());
        Self { meta: Meta::default(), addresses: addresses.map(|ip| ip.to_canonical()).collect() }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    addresses: Vec<Address>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Address {
    #[serde(rename = "type")]
    kind: Text,
    address: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ConfigMapDocument {
    data: BTreeMap<String, String>,
}

impl From<ConfigMapDocument> for ConfigMap {
    fn from(document: ConfigMapDocument) -> Self {
        Self { meta: Meta::default(), data: document.data }
    }
}
