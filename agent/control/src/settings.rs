//! Settings of the control plane: where it is, and who we are to it.

use std::path::PathBuf;

use weir_discovery::channel::{ChannelConfig, ControlChannel};
use weir_discovery::xds::{NodeInfo, Role};
use weir_model::DEFAULT_CLUSTER;
use weir_process::Reader;

use crate::Ca;

/// Flags of these names (`token-file` and so on), as they were given.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the processes' help says what each flag is")]
pub struct Settings {
    pub token_file: Option<String>,
    pub root_cert_file: Option<String>,
    pub control_host: Option<String>,
    pub cluster_id: Option<String>,
    pub network: Option<String>,
    pub pod_namespace: Option<String>,
    pub service_account: Option<String>,
    pub instance_ip: Option<String>,
}

impl Settings {
    /// The way to the control plane at `address`, which the setting `name` gave; `None`: a problem was noted.
    pub fn channel(&self, reader: &mut Reader, name: &str, address: &str) -> Option<ControlChannel> {
        let config = ChannelConfig {
            address: address.to_owned(),
            host: self.control_host.clone(),
            root_cert_file: self.root_cert_file(),
            token_file: self.token_file.clone().unwrap_or_else(|| TOKEN.into()).into(),
            headers: self.headers(),
        };
        ControlChannel::new(config).map_err(|error| reader.wrong::<()>(format!("{name}: {error}"))).ok()
    }

    /// The CA at `address`; as [`Settings::channel`].
    pub fn ca(&self, reader: &mut Reader, name: &str, address: &str) -> Option<Ca> {
        let (headers, root_cert_file) = (self.headers(), self.root_cert_file());
        Some(Ca { channel: self.channel(reader, name, address)?, headers, root_cert_file })
    }

    /// Who we are: a pod of this name, on a node (empty: not said).
    pub fn node(&self, reader: &mut Reader, role: Role, node: &str, pod: String) -> NodeInfo {
        NodeInfo {
            role,
            node: node.to_owned(),
            pod,
            namespace: self.pod_namespace.clone().unwrap_or_else(|| NAMESPACE.into()),
            service_account: self.service_account.clone(),
            addresses: reader.list("instance-ip", self.instance_ip.clone()),
            cluster: self.cluster(),
            network: self.network.clone().unwrap_or_default(),
            domain: DOMAIN.to_owned(),
        }
    }

    /// The cluster that we are in.
    pub fn cluster(&self) -> String {
        self.cluster_id.clone().unwrap_or_else(|| DEFAULT_CLUSTER.to_owned())
    }

    fn headers(&self) -> Vec<(String, String)> {
        vec![("clusterid".to_owned(), self.cluster())]
    }

    fn root_cert_file(&self) -> PathBuf {
        self.root_cert_file.clone().unwrap_or_else(|| ROOTS.into()).into()
    }
}

/// Where pods of an Istio mesh have theirs.
const TOKEN: &str = "/var/run/secrets/tokens/istio-token";
const ROOTS: &str = "/var/run/secrets/istio/root-cert.pem";
const NAMESPACE: &str = "weir-system";
/// Only in the name that we give ourselves.
const DOMAIN: &str = "cluster.local";
