//! A service: a name and virtual addresses in front of workloads.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::Serialize;

use crate::connections::policy_of;
use crate::{Audience, ConnectionPolicy, GatewayAddress, Identity};

/// A service's key in the mesh: `namespace/hostname`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ServiceKey {
    /// Kubernetes namespace.
    pub namespace: Arc<str>,
    /// Fully qualified name, for example `web.shop.svc.cluster.local`.
    pub hostname: Arc<str>,
}

impl ServiceKey {
    /// The key of a service.
    pub fn new(namespace: &str, hostname: &str) -> Self {
        Self { namespace: namespace.into(), hostname: hostname.into() }
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.hostname)
    }
}

/// A service as the mesh knows it. Its endpoints are not here: each workload names its services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Unique key.
    pub key: ServiceKey,
    /// Name of the Kubernetes object.
    pub name: Arc<str>,
    /// Virtual addresses, each in its network.
    pub vips: Vec<(Arc<str>, IpAddr)>,
    /// Virtual ranges, each in its network.
    pub cidr_vips: Vec<(Arc<str>, IpNet)>,
    /// Port table; `target_port` 0 means that each endpoint says its own.
    pub ports: Vec<PortMapping>,
    /// Identities beside the endpoint's own that its server may prove.
    pub subject_alt_names: Vec<Identity>,
    /// L7 waypoint of service-addressed traffic.
    pub waypoint: Option<GatewayAddress>,
    /// Waypoints that share its connections by weight, in the place of `waypoint` if one has a weight.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weighted_waypoints: Vec<(GatewayAddress, u32)>,
    /// How an endpoint is chosen.
    pub load_balancing: LoadBalancing,
    /// Which endpoint addresses may be used.
    pub ip_families: IpFamilies,
    /// Preferred owner of its hostname.
    pub canonical: bool,
    /// Who may see it.
    pub visibility: Visibility,
    /// What holds for connections to it that pass no waypoint, by the client's namespace: the first that has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<Audience>,
}

impl Service {
    /// A service with the wire's defaults: without an address, a port or an endpoint.
    pub fn new(key: ServiceKey) -> Self {
        Self {
            name: key.hostname.split('.').next().unwrap_or_default().into(),
            key,
            vips: Vec::new(),
            cidr_vips: Vec::new(),
            ports: Vec::new(),
            subject_alt_names: Vec::new(),
            waypoint: None,
            weighted_waypoints: Vec::new(),
            load_balancing: LoadBalancing::default(),
            ip_families: IpFamilies::default(),
            canonical: false,
            visibility: Visibility::default(),
            audiences: Vec::new(),
        }
    }

    /// What holds for a connection of a client of this namespace to a service port.
    pub fn policy(&self, service_port: u16, namespace: &str) -> Option<&Arc<ConnectionPolicy>> {
        policy_of(&self.audiences, service_port, namespace)
    }

    /// The port table's row of a service port.
    pub fn port(&self, service_port: u16) -> Option<&PortMapping> {
        self.ports.iter().find(|p| p.service_port == service_port)
    }
}

/// One row of a port table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PortMapping {
    /// Port on the virtual address.
    pub service_port: u16,
    /// Port on the workload; 0 on a service means that each endpoint says its own.
    pub target_port: u16,
    /// What is spoken there.
    pub app_protocol: AppProtocol,
}

/// What an application says it speaks on a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AppProtocol {
    /// Not said.
    #[default]
    Unknown,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2 in the clear.
    Http2,
    /// gRPC.
    Grpc,
    /// Bytes.
    Tcp,
    /// TLS of the application's own.
    Tls,
}

/// How an endpoint of a service is chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancing {
    /// Scopes from the most to the least important.
    pub routing_preference: Vec<Scope>,
    /// What the scopes do.
    pub mode: LoadBalancingMode,
    /// Whether health counts.
    pub health_policy: HealthPolicy,
}

/// What `routing_preference` does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LoadBalancingMode {
    /// All endpoints are equal.
    #[default]
    Unspecified,
    /// Only endpoints that match every scope.
    Strict,
    /// The endpoints that match the most leading scopes.
    Failover,
    /// No choice: the connection goes to its original destination.
    Passthrough,
}

/// A circle around the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Scope {
    /// Same region.
    Region,
    /// Same zone (and region).
    Zone,
    /// Same sub-zone (and zone and region).
    Subzone,
    /// Same node.
    Node,
    /// Same cluster.
    Cluster,
    /// Same network.
    Network,
}

/// Whether health counts when an endpoint is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HealthPolicy {
    /// Only healthy endpoints.
    #[default]
    OnlyHealthy,
    /// All endpoints.
    AllowAll,
}

/// Which address families of an endpoint may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IpFamilies {
    /// Whatever the endpoint has.
    #[default]
    Automatic,
    /// IPv4 only.
    Ipv4Only,
    /// IPv6 only.
    Ipv6Only,
    /// Both.
    Dual,
}

/// Who may see a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Visibility {
    /// Every client.
    #[default]
    Public,
    /// Clients of the service's own namespace.
    Namespace,
}
