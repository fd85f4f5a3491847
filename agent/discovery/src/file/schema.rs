//! The file as it is written: the fields of the messages under their JSON names, addresses as text, and a few
//! of our own that only a node can know (`networkNamespace`, `probePorts`).
//!
//! A field that we know and do not support yet is read, so that the answer is "not yet" and not "unknown".

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_saphyr::Spanned;

mod either;

pub(super) use either::{Address, Endpoint};

/// The file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Document {
    #[serde(default)]
    pub(super) workloads: Vec<Spanned<Workload>>,
    #[serde(default)]
    pub(super) services: Vec<Spanned<Service>>,
    #[serde(default)]
    pub(super) peer_authentication: Vec<Spanned<PeerAuthentication>>,
}

/// Text with its place; not there is not the same as empty.
pub(super) type Text = Option<Spanned<String>>;
/// A field that is for a later version.
pub(super) type Later = Option<Spanned<IgnoredAny>>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Workload {
    pub(super) uid: Text,
    pub(super) name: Spanned<String>,
    pub(super) namespace: Spanned<String>,
    #[serde(default)]
    pub(super) addresses: Vec<Spanned<String>>,
    pub(super) network: Text,
    #[serde(default)]
    pub(super) tunnel_protocol: TunnelProtocol,
    pub(super) trust_domain: Text,
    pub(super) service_account: Text,
    pub(super) node: Text,
    pub(super) canonical_name: Text,
    pub(super) canonical_revision: Text,
    #[serde(default)]
    pub(super) workload_type: WorkloadType,
    pub(super) workload_name: Text,
    #[serde(default)]
    pub(super) native_tunnel: bool,
    #[serde(default)]
    pub(super) status: Status,
    pub(super) cluster_id: Text,
    #[serde(default)]
    pub(super) locality: Locality,
    #[serde(default)]
    pub(super) network_mode: NetworkMode,
    pub(super) capacity: Option<u32>,
    pub(super) network_namespace: Text,
    #[serde(default)]
    pub(super) probe_ports: Vec<Spanned<i64>>,
    pub(super) hostname: Later,
    pub(super) waypoint: Later,
    pub(super) network_gateway: Later,
    pub(super) application_tunnel: Later,
    pub(super) services: Later,
    pub(super) authorization_policies: Later,
    pub(super) extensions: Later,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Service {
    pub(super) name: Spanned<String>,
    pub(super) namespace: Spanned<String>,
    pub(super) hostname: Text,
    #[serde(default)]
    pub(super) addresses: Vec<Spanned<Address>>,
    #[serde(default)]
    pub(super) ports: Vec<Spanned<Port>>,
    #[serde(default)]
    pub(super) subject_alt_names: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) load_balancing: LoadBalancing,
    #[serde(default)]
    pub(super) ip_families: IpFamilies,
    #[serde(default)]
    pub(super) canonical: bool,
    #[serde(default)]
    pub(super) visibility: Visibility,
    #[serde(default)]
    pub(super) endpoints: Vec<Spanned<Endpoint>>,
    pub(super) waypoint: Later,
    pub(super) weighted_waypoints: Later,
    pub(super) ingress_use_waypoint: Later,
    pub(super) extensions: Later,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Port {
    pub(super) service_port: Spanned<i64>,
    /// Not there: the service port itself.
    pub(super) target_port: Option<Spanned<i64>>,
    #[serde(default)]
    pub(super) app_protocol: AppProtocol,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LoadBalancing {
    #[serde(default)]
    pub(super) routing_preference: Vec<Scope>,
    #[serde(default)]
    pub(super) mode: BalancingMode,
    #[serde(default)]
    pub(super) health_policy: HealthPolicy,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Locality {
    pub(super) region: String,
    pub(super) zone: String,
    pub(super) subzone: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PeerAuthentication {
    pub(super) name: Spanned<String>,
    /// Empty: the whole mesh.
    #[serde(default)]
    pub(super) namespace: String,
    /// None: all of the namespace.
    #[serde(default)]
    pub(super) workloads: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) mode: MtlsMode,
    #[serde(default)]
    pub(super) port_level_mtls: BTreeMap<String, Spanned<MtlsMode>>,
}

/// An enum of the file: its names are those of the messages.
macro_rules! names {
    ($($name:ident { $first:ident $(, $rest:ident)* })+) => {$(
        #[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub(super) enum $name { #[default] $first $(, $rest)* }
    )+};
}

names! {
    TunnelProtocol { None, Hbone }
    WorkloadType { Pod, Deployment, Cronjob, Job }
    Status { Healthy, Unhealthy }
    NetworkMode { Standard, HostNetwork }
    AppProtocol { Unknown, Http11, Http2, Grpc, Tcp, Tls }
    Scope { Region, Zone, Subzone, Node, Cluster, Network }
    BalancingMode { UnspecifiedMode, Strict, Failover, Passthrough }
    HealthPolicy { OnlyHealthy, AllowAll }
    IpFamilies { Automatic, Ipv4Only, Ipv6Only, Dual }
    Visibility { Public, Namespace }
    MtlsMode { Unset, Disable, Permissive, Strict }
}
