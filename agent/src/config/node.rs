//! What belongs to a node of Kubernetes: where its pods come from, and the CNI plugin.

use std::path::PathBuf;
use std::time::Duration;

use weir_process::Reader;

use crate::cli::Settings;
use crate::node::install::Target;

/// A node of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Cluster that it is in.
    pub(crate) cluster: String,
    /// Where the CNI plugin asks.
    pub(crate) socket: PathBuf,
    /// How long it is held while the pod cannot be captured.
    pub(crate) wait: Duration,
    /// Where the plugin is to be installed; `None`: by somebody else, or not at all.
    pub(crate) install: Option<Target>,
    /// An orderly stop takes it out.
    pub(crate) uninstall_on_stop: bool,
}

/// Reads it; `None`: the pods are named by discovery, and are where `pod-netns` says.
pub(super) fn read(reader: &mut Reader, s: &Settings) -> Option<Node> {
    let is_on = reader.choice("node-pods", s.node_pods.clone(), &["false", "true"]) == 1;
    let uninstall_on_stop =
        reader.choice("cni-uninstall-on-stop", s.cni_uninstall_on_stop.clone(), &["false", "true"]) == 1;
    if !is_on {
        for (name, value) in [("cni-bin-dir", &s.cni_bin_dir), ("cni-conf-dir", &s.cni_conf_dir)] {
            if value.is_some() {
                let () = reader.wrong(format!("{name}: has no meaning without --node-pods true"));
            }
        }
        return None;
    }
    if s.pod_netns.is_some() {
        let () = reader
            .wrong("pod-netns: has no meaning with --node-pods true, which finds the namespaces".to_owned());
    }
    if s.xds_address.as_ref().is_none_or(String::is_empty) {
        let () = reader
            .wrong("node-pods: it is the controller that tells of them: xds-address is not set".to_owned());
    }
    let socket: PathBuf = s.cni_socket.clone().unwrap_or_else(|| weir_cni::message::SOCKET.into()).into();
    let install = match (&s.cni_bin_dir, &s.cni_conf_dir) {
        (Some(bin), Some(conf)) => Some(Target {
            plugin: s.cni_plugin.clone().map_or_else(beside_us, PathBuf::from),
            bin_dir: bin.into(),
            conf_dir: conf.into(),
            socket: socket.clone(),
            exclude_namespaces: excluded(reader, s),
        }),
        (None, None) => None,
        _ => reader.wrong("cni-bin-dir and cni-conf-dir: a plugin needs both".to_owned()),
    };
    let wait = reader.duration("cni-wait", s.cni_wait.clone(), Duration::from_secs(30));
    if wait > LONGEST_WAIT {
        let () = reader
            .wrong(format!("cni-wait: {wait:?} is longer than the plugin waits; at most {LONGEST_WAIT:?}"));
    }
    Some(Node { cluster: s.control().cluster(), socket, wait, install, uninstall_on_stop })
}

/// The plugin gives up after 40 s, and has nothing to say then.
const LONGEST_WAIT: Duration = Duration::from_secs(35);

/// Our own namespace is one of them: without its pods there is nobody to ask.
fn excluded(reader: &mut Reader, s: &Settings) -> Vec<String> {
    let text = s.cni_exclude_namespaces.clone().unwrap_or_else(|| "kube-system".into());
    let mut names: Vec<String> = reader.list("cni-exclude-namespaces", Some(text));
    let own = s.pod_namespace.clone().unwrap_or_else(|| "weir-system".into());
    if !names.contains(&own) {
        names.push(own);
    }
    names
}

fn beside_us() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.with_file_name(weir_cni::conflist::PLUGIN)
}
