//! A workload: one pod (or one machine) with addresses and an identity.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::{GatewayAddress, Identity, Locality, PeerAuthentication, PortMapping, ServiceKey};

/// A workload as the mesh knows it. Field for field Istio's `istio.workload.Workload`, defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Unique key, for a pod `<cluster>//Pod/<namespace>/<name>`.
    pub uid: Arc<str>,
    /// Pod name.
    pub name: Arc<str>,
    /// Kubernetes namespace.
    pub namespace: Arc<str>,
    /// Its addresses, primary first, never v4-mapped.
    pub addresses: Vec<IpAddr>,
    /// Name to resolve instead of `addresses`; empty for a pod.
    pub hostname: Arc<str>,
    /// Network that the addresses belong to; empty in a single-network mesh.
    pub network: Arc<str>,
    /// What its node speaks on its behalf.
    pub tunnel_protocol: TunnelProtocol,
    /// Trust domain of its identity.
    pub trust_domain: Arc<str>,
    /// Service account of its identity.
    pub service_account: Arc<str>,
    /// Node that it runs on.
    pub node: Arc<str>,
    /// Name for telemetry.
    pub canonical_name: Arc<str>,
    /// Revision for telemetry.
    pub canonical_revision: Arc<str>,
    /// Name of the owner (Deployment, Job, ...).
    pub workload_name: Arc<str>,
    /// Kind of the owner.
    pub workload_type: WorkloadType,
    /// Cluster that it runs in.
    pub cluster_id: Arc<str>,
    /// Where it runs. Shared: there are a few zones.
    pub locality: Arc<Locality>,
    /// Whether it is ready to serve.
    pub status: Health,
    /// Whether its addresses are its own.
    pub network_mode: NetworkMode,
    /// Weight among the endpoints of a service; 0 takes no service traffic.
    pub capacity: u32,
    /// Services that it serves, with the ports that differ from the service's own table.
    /// Shared: the pods of a service say the same, and a map of one entry takes as much as the rest of a workload.
    pub services: Arc<BTreeMap<ServiceKey, Vec<PortMapping>>>,
    /// L7 waypoint of traffic addressed to the workload itself.
    pub waypoint: Option<Box<GatewayAddress>>,
    /// How it is reached from another network.
    pub network_gateway: Option<Box<GatewayAddress>>,
    /// It terminates HBONE itself, its traffic is not captured.
    pub native_tunnel: bool,
    /// How a tunnelled connection is handed to the application (sandwiched waypoint).
    pub application_tunnel: Option<ApplicationTunnel>,
    /// Keys `namespace/name` of the policies that select it.
    pub authorization_policies: Vec<Arc<str>>,
    /// Whether it takes plaintext.
    pub peer_authentication: PeerAuthentication,
}

impl Workload {
    /// A pod with the wire's defaults: in no node and no service, without an address, outside the mesh.
    pub fn pod(namespace: &str, name: &str) -> Self {
        let (name, nothing): (Arc<str>, Arc<str>) = (name.into(), "".into());
        Self {
            uid: format!("{DEFAULT_CLUSTER}//Pod/{namespace}/{name}").into(),
            namespace: namespace.into(),
            addresses: Vec::new(),
            hostname: nothing.clone(),
            network: nothing.clone(),
            tunnel_protocol: TunnelProtocol::default(),
            trust_domain: DEFAULT_TRUST_DOMAIN.into(),
            service_account: DEFAULT_SERVICE_ACCOUNT.into(),
            node: nothing.clone(),
            canonical_name: name.clone(),
            canonical_revision: nothing.clone(),
            workload_name: name.clone(),
            name,
            workload_type: WorkloadType::Pod,
            cluster_id: DEFAULT_CLUSTER.into(),
            locality: Arc::default(),
            status: Health::default(),
            network_mode: NetworkMode::default(),
            capacity: DEFAULT_CAPACITY,
            services: Arc::default(),
            waypoint: None,
            network_gateway: None,
            native_tunnel: false,
            application_tunnel: None,
            authorization_policies: Vec::new(),
            peer_authentication: PeerAuthentication::default(),
        }
    }

    /// The identity that its server proves and its client acts with.
    pub fn identity(&self) -> Identity {
        Identity::from_parts(self.trust_domain.clone(), self.namespace.clone(), self.service_account.clone())
    }
}

/// What a workload's node speaks on its behalf.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TunnelProtocol {
    /// Nothing: the workload is not in the mesh and gets plaintext.
    #[default]
    None,
    /// HTTP/2 CONNECT over mTLS on port 15008.
    Hbone,
}

/// Kind of a workload's owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkloadType {
    /// Deployment (and what looks like one).
    #[default]
    Deployment,
    /// CronJob.
    CronJob,
    /// A pod of its own.
    Pod,
    /// Job.
    Job,
}

/// Whether a workload is ready to serve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Health {
    /// Ready.
    #[default]
    Healthy,
    /// Not ready, or going away.
    Unhealthy,
}

/// Whether a workload's addresses are its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NetworkMode {
    /// Own network namespace and addresses.
    #[default]
    Standard,
    /// The node's addresses, shared with others: never found by address.
    HostNetwork,
}

/// How a tunnelled connection is handed to the application of a sandwiched waypoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationTunnel {
    /// A PROXY protocol header precedes the bytes.
    pub proxy_header: bool,
    /// Port that the application listens on for it; 0 keeps the destination's own port.
    pub port: u16,
}

/// Trust domain of a workload that names none.
pub const DEFAULT_TRUST_DOMAIN: &str = "cluster.local";
/// Service account of a workload that names none.
pub const DEFAULT_SERVICE_ACCOUNT: &str = "default";
/// Cluster of a workload that names none.
pub const DEFAULT_CLUSTER: &str = "Kubernetes";
/// Weight of a workload that names none.
pub const DEFAULT_CAPACITY: u32 = 1;
