//! Who asks: the node message of the first requests of a stream.

use std::collections::BTreeMap;
use std::net::IpAddr;

use prost_types::value::Kind;
use prost_types::{Struct, Value};
use weir_proto::core::Node;

/// Who this process is, for the control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// What it does.
    pub role: Role,
    /// The node that it serves.
    pub node: String,
    /// Its own pod.
    pub pod: String,
    /// The pod's namespace; must be that of its token.
    pub namespace: String,
    /// The pod's service account, if it is to be checked against that of the token.
    pub service_account: Option<String>,
    /// The pod's addresses.
    pub addresses: Vec<IpAddr>,
    /// The cluster that the node is in.
    pub cluster: String,
    /// The network that the node is in; empty in a single-network mesh.
    pub network: String,
    /// DNS domain of the cluster.
    pub domain: String,
}

/// What a client of the control plane does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// Carries the traffic of a node's pods.
    #[default]
    NodeProxy,
    /// Serves the L7 half of services.
    Waypoint,
}

impl Role {
    /// As control planes know it.
    fn id(self) -> &'static str {
        match self {
            Self::NodeProxy => "ztunnel",
            Self::Waypoint => "waypoint",
        }
    }
}

impl NodeInfo {
    /// The message. Its id has exactly the four parts that control planes insist on.
    pub(crate) fn message(&self) -> Node {
        let Self { role, pod, namespace, domain, .. } = self;
        let ip = self.addresses.first().copied().unwrap_or(UNKNOWN);
        let addresses: Vec<_> = self.addresses.iter().map(IpAddr::to_string).collect();
        let mut metadata = BTreeMap::new();
        let mut put = |key: &str, value: &str| {
            if !value.is_empty() {
                metadata.insert(key.to_owned(), Value { kind: Some(Kind::StringValue(value.to_owned())) });
            }
        };
        put("NAME", pod);
        put("NAMESPACE", namespace);
        put("SERVICE_ACCOUNT", self.service_account.as_deref().unwrap_or_default());
        put("NODE_NAME", &self.node);
        put("INSTANCE_IPS", &addresses.join(","));
        put("CLUSTER_ID", &self.cluster);
        put("NETWORK", &self.network);
        put("ISTIO_VERSION", SPEAKS_LIKE);
        put("WEIR_VERSION", env!("CARGO_PKG_VERSION"));
        Node {
            id: format!("{}~{ip}~{pod}.{namespace}~{namespace}.svc.{domain}", role.id()),
            cluster: self.cluster.clone(),
            metadata: Some(Struct { fields: metadata }),
            locality: None,
        }
    }
}

/// What stands in the id when the own address is not known: it must be an address.
const UNKNOWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(1, 1, 1, 1));
/// istiod reads this as the version of a proxy and sends old ones less; our own number would look ancient.
const SPEAKS_LIKE: &str = "1.30.0";

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> NodeInfo {
        NodeInfo {
            role: Role::NodeProxy,
            node: "n1".into(),
            pod: "weir-agent-x".into(),
            namespace: "weir-system".into(),
            service_account: Some("weir-agent".into()),
            addresses: vec!["10.0.0.7".parse().unwrap(), "fd00::7".parse().unwrap()],
            cluster: "Kubernetes".into(),
            network: String::new(),
            domain: "cluster.local".into(),
        }
    }

    #[test]
    fn the_id_has_four_parts_and_the_metadata_says_who_and_where() {
        let node = info().message();
        assert_eq!(node.id, "ztunnel~10.0.0.7~weir-agent-x.weir-system~weir-system.svc.cluster.local");
        let fields = node.metadata.unwrap().fields;
        let text = |key: &str| match fields.get(key).and_then(|value| value.kind.clone()) {
            Some(Kind::StringValue(text)) => Some(text),
            _ => None,
        };
        assert_eq!(text("NODE_NAME").as_deref(), Some("n1"));
        assert_eq!(text("NAMESPACE").as_deref(), Some("weir-system"));
        assert_eq!(text("INSTANCE_IPS").as_deref(), Some("10.0.0.7,fd00::7"));
        assert_eq!(text("NETWORK"), None, "what is not set is not sent");
    }

    #[test]
    fn without_an_address_the_id_is_still_one() {
        let node = NodeInfo { addresses: Vec::new(), service_account: None, ..info() }.message();
        assert_eq!(node.id.split('~').nth(1), Some("1.1.1.1"));
        assert!(!node.metadata.unwrap().fields.contains_key("SERVICE_ACCOUNT"));
    }
}
