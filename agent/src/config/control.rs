//! Where the mesh and the certificates come from: a control plane, or files of this node.

use std::path::PathBuf;

use weir_discovery::channel::{ChannelConfig, ControlChannel};
use weir_discovery::xds::{self, LocalPods, NetnsPattern, NodeInfo, Role};
use weir_model::DEFAULT_CLUSTER;
use weir_process::Reader;

use crate::cli::Settings;

/// Where the mesh comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// One YAML file.
    File(PathBuf),
    /// A control plane.
    Control(Box<(ControlChannel, xds::Config)>),
}

/// Who signs certificates.
#[derive(Debug, Clone)]
pub(crate) enum Signer {
    /// A CA in a directory of this node.
    Dir(PathBuf),
    /// A CA that is asked.
    Control(Control),
}

/// A CA that is asked.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    pub(crate) channel: ControlChannel,
    /// What we say beside the token.
    pub(crate) headers: Vec<(String, String)>,
    /// A change of the control plane's roots is a reason to renew.
    pub(crate) root_cert_file: PathBuf,
}

/// Reads what belongs to the control plane.
pub(super) fn read(reader: &mut Reader, node: &str, s: &Settings) -> (Source, Signer) {
    let set = |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
    let xds = ("xds-address", set(&s.xds_address));
    one_of(reader, xds, ("mesh-file", set(&s.mesh_file)), "the mesh comes from one of them");
    let ca_address = s.ca_address.as_ref().or(s.xds_address.as_ref()).filter(|address| !address.is_empty());
    // With a directory, the address of the mesh alone is not that of a CA.
    let (asked, dir) = (set(&s.ca_address) || (xds.1 && !set(&s.ca_dir)), set(&s.ca_dir));
    one_of(reader, ("ca-address", asked), ("ca-dir", dir), "one of them signs the certificates");

    let source = match &s.xds_address {
        Some(address) if xds.1 => match channel(reader, "xds-address", address, s) {
            Some(channel) => Source::Control(Box::new((channel, discovery(reader, node, s)))),
            None => Source::File(PathBuf::new()),
        },
        _ => Source::File(s.mesh_file.clone().unwrap_or_default().into()),
    };
    let signer = match ca_address {
        Some(address) if asked => {
            let (headers, root_cert_file) = (headers(s), root_cert_file(s));
            let channel = channel(reader, "ca-address", address, s);
            let control = channel.map(|channel| Control { channel, headers, root_cert_file });
            control.map_or(Signer::Dir(PathBuf::new()), Signer::Control)
        }
        _ => Signer::Dir(s.ca_dir.clone().unwrap_or_default().into()),
    };
    (source, signer)
}

fn channel(reader: &mut Reader, name: &str, address: &str, s: &Settings) -> Option<ControlChannel> {
    let config = ChannelConfig {
        address: address.to_owned(),
        host: s.control_host.clone(),
        root_cert_file: root_cert_file(s),
        token_file: s.token_file.clone().unwrap_or_else(|| TOKEN.into()).into(),
        headers: headers(s),
    };
    ControlChannel::new(config).map_err(|error| reader.wrong::<()>(format!("{name}: {error}"))).ok()
}

/// One of two settings must be given, and not both.
fn one_of(reader: &mut Reader, (one, first): (&str, bool), (other, second): (&str, bool), why: &str) {
    match (first, second) {
        (false, false) => reader.wrong(format!("{one}: not set, and neither is {other}: {why}")),
        (true, true) => reader.wrong(format!("{one}: cannot be set together with {other}: {why}")),
        _ => {}
    }
}

fn discovery(reader: &mut Reader, node: &str, s: &Settings) -> xds::Config {
    let cluster = cluster(s);
    let text = |value: &Option<String>, default: &str| value.clone().unwrap_or_else(|| default.to_owned());
    let netns: NetnsPattern = reader.or("pod-netns", s.pod_netns.clone(), NETNS);
    xds::Config {
        node: NodeInfo {
            role: Role::NodeProxy,
            node: node.to_owned(),
            pod: s.pod_name.clone().unwrap_or_else(|| format!("weir-agent-{node}")),
            namespace: text(&s.pod_namespace, NAMESPACE),
            service_account: s.service_account.clone(),
            addresses: reader.list("instance-ip", s.instance_ip.clone()),
            cluster: cluster.clone(),
            network: text(&s.network, ""),
            domain: DOMAIN.to_owned(),
        },
        local: Some(LocalPods { node: node.to_owned(), cluster, netns }),
    }
}

fn headers(s: &Settings) -> Vec<(String, String)> {
    vec![("clusterid".to_owned(), cluster(s))]
}

fn cluster(s: &Settings) -> String {
    s.cluster_id.clone().unwrap_or_else(|| DEFAULT_CLUSTER.to_owned())
}

fn root_cert_file(s: &Settings) -> PathBuf {
    s.root_cert_file.clone().unwrap_or_else(|| ROOTS.into()).into()
}

/// Where Istio's node agents have theirs.
const TOKEN: &str = "/var/run/secrets/tokens/istio-token";
const ROOTS: &str = "/var/run/secrets/istio/root-cert.pem";
const NETNS: &str = "/run/netns/{name}";
const NAMESPACE: &str = "weir-system";
/// Only in the name that we give ourselves.
const DOMAIN: &str = "cluster.local";
