//! A pod as Kubernetes writes it.

use std::sync::Arc;

use serde::Deserialize;

use super::probe::{Lifecycle, Probe};
use super::scalar::{Account, IpOrNone, Port, Text};
use crate::{ContainerPort, Phase, Pod};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

impl From<Document> for Pod {
    fn from(Document { metadata, spec, status }: Document) -> Self {
        let mut addresses: Vec<_> = status.pod_ips.iter().filter_map(|entry| entry.ip.0).collect();
        if addresses.is_empty() {
            addresses.extend(status.pod_ip.0);
        }
        // There are many pods: not a byte more than needed.
        addresses.shrink_to_fit();
        let owner = metadata.owner_references.into_iter().find(|owner| owner.controller);
        Self {
            meta: crate::Meta::default(),
            addresses,
            phase: status.phase.into(),
            ready: status.conditions.iter().any(|c| &*c.kind.0 == "Ready" && &*c.status.0 == "True"),
            owner: owner.map(|owner| (owner.kind.0, owner.name.0)),
            ports: spec.named_ports(),
            probe_ports: spec.probe_ports(),
            runtime_class: spec.runtime_class_name.0,
            node: spec.node_name.0,
            service_account: spec.service_account_name.0,
            host_network: spec.host_network,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    owner_references: Vec<Owner>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Owner {
    kind: Text,
    name: Text,
    controller: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    node_name: Text,
    service_account_name: Account,
    host_network: bool,
    runtime_class_name: Text,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
}

impl Spec {
    fn named_ports(&self) -> Vec<ContainerPort> {
        let ports = self.serving().flat_map(|container| &container.ports);
        let mut ports: Vec<_> = ports.filter_map(Ports::named).collect();
        ports.shrink_to_fit();
        ports
    }

    fn probe_ports(&self) -> Box<[u16]> {
        let mut ports: Vec<u16> = self.serving().flat_map(Container::probe_ports).collect();
        ports.sort_unstable();
        ports.dedup();
        ports.into()
    }

    /// Those that run while the pod does.
    fn serving(&self) -> impl Iterator<Item = &Container> {
        let sidecars =
            self.init_containers.iter().filter(|container| &*container.restart_policy.0 == "Always");
        self.containers.iter().chain(sidecars)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    restart_policy: Text,
    ports: Vec<Ports>,
    startup_probe: Option<Probe>,
    liveness_probe: Option<Probe>,
    readiness_probe: Option<Probe>,
    lifecycle: Lifecycle,
}

impl Container {
    fn probe_ports(&self) -> impl Iterator<Item = u16> {
        let probes = [&self.startup_probe, &self.liveness_probe, &self.readiness_probe];
        let hooks = [&self.lifecycle.post_start, &self.lifecycle.pre_stop];
        let all = probes.into_iter().chain(hooks).flatten();
        let named = |name: &str| {
            let mut ports = self.ports.iter().filter_map(Ports::named);
            ports.find(|port| &*port.name == name).map(|port| port.port)
        };
        all.flat_map(move |probe| probe.port(&named))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ports {
    #[serde(default)]
    name: Text,
    container_port: Port,
    protocol: Option<Text>,
}

impl Ports {
    fn named(&self) -> Option<ContainerPort> {
        let tcp = self.protocol.as_ref().is_none_or(|protocol| &*protocol.0 == "TCP");
        let name = Some(&self.name.0).filter(|name| !name.is_empty())?;
        Some(ContainerPort { name: Arc::clone(name), port: self.container_port.0, tcp })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: PhaseName,
    #[serde(rename = "podIP")]
    pod_ip: IpOrNone,
    #[serde(rename = "podIPs")]
    pod_ips: Vec<PodIp>,
    conditions: Vec<Condition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodIp {
    ip: IpOrNone,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: Text,
    status: Text,
}

#[derive(Default, Deserialize)]
enum PhaseName {
    #[default]
    #[serde(alias = "")]
    Pending,
    Running,
    Succeeded,
    Failed,
    Unknown,
}

impl From<PhaseName> for Phase {
    fn from(name: PhaseName) -> Self {
        match name {
            PhaseName::Pending => Self::Pending,
            PhaseName::Running => Self::Running,
            PhaseName::Succeeded => Self::Succeeded,
            PhaseName::Failed => Self::Failed,
            PhaseName::Unknown => Self::Unknown,
        }
    }
}
