//! A service entry as Istio writes it.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::scalar::{LabelMap, Port, Text};
use super::workload_entry;
use crate::{Location, Meta, Problem, Resolution, ServiceEntry, ServiceEntryPort, intern};

mod check;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    spec: Spec,
    status: Value,
}

impl Document {
    pub(super) fn check(self) -> Result<ServiceEntry, Problem> {
        let Self { spec, status } = self;
        let endpoint =
            |(n, endpoint): (usize, workload_entry::Spec)| endpoint.check(&format!("spec.endpoints[{n}]"));
        let addresses = spec.addresses.iter().enumerate().map(|(n, text)| check::address(n, &text.0));
        let entry = ServiceEntry {
            meta: Meta::default(),
            // Names of hosts are compared with what a resolver asked for, in small letters.
            hosts: spec.hosts.iter().map(|host| intern::text(&host.0.to_ascii_lowercase())).collect(),
            addresses: addresses.collect::<Result<_, _>>()?,
            ports: spec.ports.into_iter().map(ServiceEntryPort::from).collect(),
            location: spec.location,
            resolution: spec.resolution,
            endpoints: spec.endpoints.into_iter().enumerate().map(endpoint).collect::<Result<_, _>>()?,
            selector: spec.workload_selector.map(|selector| selector.labels.0).unwrap_or_default(),
            export_to: spec.export_to.into_iter().map(|text| text.0).collect(),
            subject_alt_names: spec.subject_alt_names.into_iter().map(|text| text.0).collect(),
            allocated: allocated(&status),
        };
        check::check(&entry)?;
        Ok(entry)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    hosts: Vec<Text>,
    addresses: Vec<Text>,
    ports: Vec<PortSpec>,
    location: Location,
    resolution: Resolution,
    endpoints: Vec<workload_entry::Spec>,
    workload_selector: Option<Selector>,
    export_to: Vec<Text>,
    subject_alt_names: Vec<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PortSpec {
    number: Port,
    name: Text,
    #[serde(default)]
    protocol: Text,
    target_port: Option<u16>,
}

impl From<PortSpec> for ServiceEntryPort {
    fn from(spec: PortSpec) -> Self {
        // 0 is how protobuf says that nothing is said.
        let target = spec.target_port.filter(|port| *port != 0).unwrap_or(spec.number.0);
        Self { name: spec.name.0, port: spec.number.0, target, protocol: spec.protocol.0 }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Selector {
    labels: LabelMap,
}

/// What a controller wrote; what cannot be read is allocated again.
fn allocated(status: &Value) -> Vec<(Arc<str>, IpAddr)> {
    let entries = status.get("addresses").and_then(Value::as_array);
    let text =
        |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).map(str::to_ascii_lowercase);
    let one = |entry| {
        let ip = text(entry, "value")?.parse::<IpAddr>().ok()?;
        Some((intern::text(&text(entry, "host").unwrap_or_default()), ip.to_canonical()))
    };
    entries.into_iter().flatten().filter_map(one).collect()
}
