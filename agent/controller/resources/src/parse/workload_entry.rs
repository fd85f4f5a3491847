//! Workload entries and groups as Istio writes them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::read::quote;
use super::scalar::{Account, LabelMap, Port, Text};
use crate::{Meta, Problem, WorkloadEntry, WorkloadSpec, intern, names};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    spec: Spec,
}

impl Document {
    pub(super) fn check(self, meta: &Meta) -> Result<WorkloadEntry, Problem> {
        let healthy = meta.conditions.iter().find(|condition| condition.kind == "Healthy");
        let healthy = healthy.is_none_or(|condition| condition.status == "True");
        Ok(WorkloadEntry { meta: Meta::default(), spec: self.spec.check("spec")?, healthy })
    }
}

/// A workload: of an entry, and of a service entry's endpoint.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Spec {
    address: Text,
    ports: BTreeMap<Text, Port>,
    labels: LabelMap,
    network: Text,
    locality: Text,
    weight: u32,
    service_account: Account,
}

impl Spec {
    /// `field`: where it is in the object.
    pub(super) fn check(self, field: &str) -> Result<WorkloadSpec, Problem> {
        let address =
            address(&self.address.0).map_err(|message| Problem::new(format!("{field}.address"), message))?;
        // An endpoint of another network is reached by that network's gateway.
        if address.is_empty() && self.network.0.is_empty() {
            return Err(Problem::new(format!("{field}.address"), "is missing"));
        }
        if address.starts_with(UNIX) && !self.ports.is_empty() {
            return Err(Problem::new(format!("{field}.ports"), "a unix socket has no ports"));
        }
        Ok(WorkloadSpec {
            address,
            ports: self.ports.into_iter().map(|(name, port)| (name.0, port.0)).collect(),
            labels: self.labels.0,
            network: self.network.0,
            locality: self.locality.0,
            weight: self.weight,
            service_account: self.service_account.0,
        })
    }
}

/// One spelling per address: it is compared with others.
fn address(text: &Arc<str>) -> Result<Arc<str>, String> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(intern::text(&ip.to_canonical().to_string()));
    }
    // What looks like a bad IPv4 address is no host either: no top level domain is a number.
    let numeric = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    match text.strip_prefix(UNIX) {
        Some(path) if path.starts_with(['/', '@']) => Ok(text.clone()),
        Some(_) => Err(format!("{} is not an absolute path", quote(text))),
        None if text.is_empty() => Ok(text.clone()),
        None if names::is_host(text) && !numeric => Ok(intern::text(&text.to_ascii_lowercase())),
        None => Err(format!("{} is not an IP address, a host or a unix:// path", quote(text))),
    }
}

/// Nobody registers by it: only that it has the fields that a group has.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct GroupDocument {
    spec: GroupSpec,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GroupSpec {
    metadata: GroupMetadata,
    template: Spec,
    probe: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GroupMetadata {
    labels: LabelMap,
    annotations: BTreeMap<String, String>,
}

const UNIX: &str = "unix://";
