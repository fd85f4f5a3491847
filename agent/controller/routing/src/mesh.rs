//! What holds in the whole mesh.

use std::net::IpAddr;

use weir_proto::l7;

/// Settings that translation needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    /// Domain of the cluster's services.
    pub domain: String,
    /// Namespace whose DestinationRules hold for all.
    pub root_namespace: String,
    /// Where a VirtualService or route says nothing; `None`: the waypoint's own default.
    pub default_retry: Option<l7::Retry>,
    /// `meshConfig.localityLbSetting.enabled`.
    pub locality_enabled: bool,
    /// `meshConfig.h2UpgradePolicy` is UPGRADE.
    pub h2_upgrade: bool,
}

impl Default for Mesh {
    fn default() -> Self {
        Self {
            domain: "cluster.local".to_owned(),
            root_namespace: "weir-system".to_owned(),
            default_retry: None,
            locality_enabled: true,
            h2_upgrade: false,
        }
    }
}

impl Mesh {
    /// The host name of a Kubernetes service.
    pub fn service_host(&self, namespace: &str, name: &str) -> String {
        format!("{name}.{namespace}.svc.{}", self.domain)
    }

    /// A host as an Istio resource of `namespace` writes it, in full and in lower case. Only a name without a dot is short.
    pub(crate) fn resolve(&self, host: &str, namespace: &str) -> String {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if let Ok(ip) = host.parse::<IpAddr>() {
            // One spelling per address.
            return ip.to_canonical().to_string();
        }
        match host.contains('.') || host.contains(':') || host == "*" || host.is_empty() {
            true => host,
            false => self.service_host(namespace, &host),
        }
    }
}
