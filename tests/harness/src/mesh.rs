//! The mesh file: what the cluster tells its agents.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

/// The whole file.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeshFile {
    /// Pods and other things with an address.
    pub workloads: Vec<Workload>,
    /// Names with virtual addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// What plaintext a workload takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peer_authentication: Vec<PeerAuthentication>,
}

/// How a workload is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TunnelProtocol {
    /// Plain TCP: not enrolled.
    None,
    /// Through the mesh.
    Hbone,
}

/// One workload.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Name of the pod.
    pub name: String,
    /// Its Kubernetes namespace.
    pub namespace: String,
    /// Its service account.
    pub service_account: String,
    /// Node that runs it.
    pub node: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it is in the mesh.
    pub tunnel_protocol: TunnelProtocol,
    /// File of its network namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_namespace: Option<PathBuf>,
    /// Ports that the node's kubelet may probe in plaintext.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub probe_ports: Vec<u16>,
    /// Labels of the pod, for a controller; the file has none.
    #[serde(skip)]
    pub labels: BTreeMap<String, String>,
    /// It is being deleted, for a controller, and runs still.
    #[serde(skip)]
    pub leaving: bool,
}

/// One service.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Short name.
    pub name: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// Full host name.
    pub hostname: String,
    /// Virtual addresses.
    pub addresses: Vec<IpAddr>,
    /// Ports.
    pub ports: Vec<Port>,
    /// Names of the workloads behind it.
    pub endpoints: Vec<String>,
}

/// One port of a service.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Port that clients dial.
    pub service_port: u16,
    /// Port of the workload.
    pub target_port: u16,
}

/// Whether plaintext is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    /// Only what comes through the mesh.
    Strict,
    /// Plaintext too.
    Permissive,
}

/// One rule of peer authentication.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerAuthentication {
    /// Name of the rule.
    pub name: String,
    /// Namespace it holds for; empty: the whole mesh.
    pub namespace: String,
    /// Workloads it holds for; empty: all of the namespace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<String>,
    /// The mode.
    pub mode: Mode,
    /// Exceptions by port.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub port_level_mtls: BTreeMap<String, Mode>,
}

impl MeshFile {
    /// The file as YAML.
    pub fn to_yaml(&self) -> Result<String> {
        serde_saphyr::to_string(self).context("the mesh file cannot be written as YAML")
    }

    /// Writes the file as its readers want it: whole, by a rename.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        replace(path, &self.to_yaml()?)
    }
}

/// Replaces a file at once.
pub(crate) fn replace(path: &Path, text: &str) -> Result<()> {
    let draft = path.with_extension("draft");
    fs::write(&draft, text)?;
    fs::rename(&draft, path).with_context(|| format!("cannot replace {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_names_that_the_agent_reads() {
        let file = MeshFile {
            workloads: vec![Workload {
                name: "client".into(),
                namespace: "default".into(),
                service_account: "client".into(),
                node: "a".into(),
                addresses: vec!["10.9.1.2".parse().unwrap(), "fd09:1::2".parse().unwrap()],
                tunnel_protocol: TunnelProtocol::Hbone,
                network_namespace: Some("/run/netns/x".into()),
                probe_ports: vec![8080],
                labels: BTreeMap::new(),
                leaving: false,
            }],
            ..MeshFile::default()
        };
        let text = file.to_yaml().unwrap();
        for wanted in ["serviceAccount: client", "tunnelProtocol: HBONE", "networkNamespace: /run/netns/x"] {
            assert!(text.contains(wanted), "{wanted:?} missing in\n{text}");
        }
        assert!(!text.contains("services"), "{text}");
    }
}
