//! Routes of connections.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Destination;
use crate::part::{Part, Unknown};
use crate::value::{Port, Subnet};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct TlsRoute {
    #[serde(rename = "match")]
    pub(crate) matches: Part<Vec<Part<TlsMatch>>>,
    pub(crate) route: Part<Vec<ConnectionDestination>>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TlsMatch {
    #[serde(alias = "sni_hosts")]
    pub(crate) sni_hosts: Vec<String>,
    #[serde(alias = "destination_subnets")]
    pub(crate) destination_subnets: Vec<Subnet>,
    pub(crate) port: Option<Port>,
    #[serde(alias = "source_labels")]
    pub(crate) source_labels: BTreeMap<String, String>,
    #[serde(alias = "source_namespace")]
    pub(crate) source_namespace: String,
    pub(crate) gateways: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct TcpRoute {
    #[serde(rename = "match")]
    pub(crate) matches: Part<Vec<Part<TcpMatch>>>,
    pub(crate) route: Part<Vec<ConnectionDestination>>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TcpMatch {
    #[serde(alias = "destination_subnets")]
    pub(crate) destination_subnets: Vec<Subnet>,
    pub(crate) port: Option<Port>,
    #[serde(alias = "source_subnet")]
    pub(crate) source_subnet: String,
    #[serde(alias = "source_labels")]
    pub(crate) source_labels: BTreeMap<String, String>,
    #[serde(alias = "source_namespace")]
    pub(crate) source_namespace: String,
    pub(crate) gateways: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConnectionDestination {
    pub(crate) destination: Destination,
    pub(crate) weight: i32,
}
