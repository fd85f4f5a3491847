//! Where the mesh and the certificates come from: a control plane, or files of this node.

use std::path::PathBuf;

use weir_control::Ca;
use weir_discovery::channel::ControlChannel;
use weir_discovery::xds::{self, Local, LocalPods, NetnsPattern, Role};
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
    Control(Ca),
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
        Some(address) if xds.1 => match s.control().channel(reader, "xds-address", address) {
            Some(channel) => Source::Control(Box::new((channel, discovery(reader, node, s)))),
            None => Source::File(PathBuf::new()),
        },
        _ => Source::File(s.mesh_file.clone().unwrap_or_default().into()),
    };
    let signer = match ca_address {
        Some(address) if asked => {
            let ca = s.control().ca(reader, "ca-address", address);
            ca.map_or(Signer::Dir(PathBuf::new()), Signer::Control)
        }
        _ => Signer::Dir(s.ca_dir.clone().unwrap_or_default().into()),
    };
    (source, signer)
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
    let control = s.control();
    let pod = s.pod_name.clone().unwrap_or_else(|| format!("weir-agent-{node}"));
    let netns: NetnsPattern = reader.or("pod-netns", s.pod_netns.clone(), NETNS);
    let local = match s.node_pods.as_deref() {
        Some("true") => Local::Told,
        _ => Local::Pattern(LocalPods { node: node.to_owned(), cluster: control.cluster(), netns }),
    };
    xds::Config { node: control.node(reader, Role::NodeProxy, node, pod), local: Some(local) }
}

impl Settings {
    pub(super) fn control(&self) -> weir_control::Settings {
        weir_control::Settings {
            token_file: self.token_file.clone(),
            root_cert_file: self.root_cert_file.clone(),
            control_host: self.control_host.clone(),
            cluster_id: self.cluster_id.clone(),
            network: self.network.clone(),
            pod_namespace: self.pod_namespace.clone(),
            service_account: self.service_account.clone(),
            instance_ip: self.instance_ip.clone(),
        }
    }
}

const NETNS: &str = "/run/netns/{name}";
