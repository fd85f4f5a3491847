//! Objects become resources. Functions of what was read: nothing here remembers.

mod balancing;
mod entry;
mod machine;
mod names;
mod node_pod;
mod pod;
mod ports;
mod service;
mod service_entry;
mod slice;
mod visibility;

use std::net::IpAddr;
use std::sync::Arc;

use weir_proto::workload::{
    ApplicationTunnel, Locality, NetworkAddress, NetworkMode, PortList, TunnelProtocol, Workload,
    WorkloadStatus, application_tunnel,
};
use weir_resources::{Labels, Meta, Node};

pub(crate) use entry::{entry, entry_uid};
pub(crate) use node_pod::node_pod;
pub(crate) use pod::{pod, pod_uid};
pub(crate) use service::service;
pub(crate) use service_entry::{Published, allocated, service_entry};
pub(crate) use slice::slice;
pub(crate) use visibility::{Visibility, visibility};

use crate::index::Owner;
use crate::world::World;

/// A workload's services by key.
pub(crate) type Services = Vec<(Arc<str>, PortList)>;

/// A workload, and the keys of its services as they are shared.
pub(crate) type Made = (Workload, Vec<Arc<str>>);

/// 4 or 16 bytes.
pub(crate) fn bytes(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// An address of 4 or 16 bytes.
pub(crate) fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// Where a node is.
pub(crate) fn locality(node: &Node) -> Locality {
    let label = |name| node.meta.labels.get(name).unwrap_or_default().to_owned();
    Locality {
        region: label("topology.kubernetes.io/region"),
        zone: label("topology.kubernetes.io/zone"),
        subzone: label("topology.istio.io/subzone"),
    }
}

/// What its node speaks for a workload, and whether it speaks that itself. Only what is captured is: the annotation says
/// so, not the label that asks for it.
fn tunnel(labels: &Labels, annotations: &Labels, host_network: bool) -> (TunnelProtocol, bool) {
    if labels.get("networking.istio.io/tunnel") == Some("http") {
        return (TunnelProtocol::Hbone, true);
    }
    match annotations.get("ambient.istio.io/redirection") {
        Some("enabled") if !host_network => (TunnelProtocol::Hbone, false),
        _ => (TunnelProtocol::None, false),
    }
}

fn health(healthy: bool) -> WorkloadStatus {
    if healthy { WorkloadStatus::Healthy } else { WorkloadStatus::Unhealthy }
}

fn network_mode(host: bool) -> NetworkMode {
    if host { NetworkMode::HostNetwork } else { NetworkMode::Standard }
}

/// Label `istio.io/ingress-use-waypoint` of the object, else of its namespace.
fn ingress_use_waypoint(meta: &Meta, namespace: Option<&Meta>) -> bool {
    let label = |meta: &Meta| meta.labels.get("istio.io/ingress-use-waypoint").map(|value| value == "true");
    label(meta).or_else(|| label(namespace?)).unwrap_or(false)
}

impl World {
    pub(crate) fn locality(&self, node: &str) -> Option<Locality> {
        self.nodes.get(node).filter(|locality| **locality != Locality::default()).cloned()
    }

    fn network_address(&self, ip: IpAddr, length: Option<u8>) -> NetworkAddress {
        let network = self.network().to_owned();
        NetworkAddress { network, address: bytes(ip), length: length.map(u32::from) }
    }

    /// The services that select these labels and own their names, in the order of the names; `ports` says what the
    /// endpoint has for each.
    fn serving(
        &self,
        namespace: &str,
        labels: &Labels,
        ports: impl Fn(&Owner) -> Option<PortList>,
    ) -> Services {
        let mut services = Services::new();
        for selecting in self.selectors.of(namespace, labels) {
            let Some(ports) = ports(&selecting.owner) else { continue };
            let owned = selecting.names.iter().filter(|name| self.owns(&selecting.owner, name));
            services.extend(owned.map(|name| (name.clone(), ports.clone())));
        }
        services.sort_by(|a, b| a.0.cmp(&b.0));
        services.dedup_by(|a, b| a.0 == b.0);
        services
    }

    fn policies_of(&self, namespace: &str, labels: &Labels) -> Vec<String> {
        self.policies.keys_for(namespace, labels).iter().map(ToString::to_string).collect()
    }

    /// How connections are handed to a waypoint's own pod.
    fn application_tunnel(&self, namespace: &str, labels: &Labels) -> Option<ApplicationTunnel> {
        let gateway = self.gateways.get(namespace, labels.get(GATEWAY_NAME)?)?;
        let (proxy, port) = self.inbound_binding(gateway)?;
        let protocol =
            if proxy { application_tunnel::Protocol::Proxy } else { application_tunnel::Protocol::None };
        Some(ApplicationTunnel { protocol: protocol.into(), port: port.into() })
    }
}

/// Label of the pods of a gateway.
pub(crate) const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
