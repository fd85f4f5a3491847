//! The one door of configuration: flags, then environment, then one YAML file. Everything that is wrong
//! is reported together, and each part gets a struct of its own.

mod control;
mod node;
mod prefix;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use weir_datapath::Kubelet;
use weir_process::{Problems, Reader};

use crate::cli::{RunOptions, Settings};
use crate::node::cgroups;
pub(crate) use control::{Signer, Source};
pub(crate) use node::Node;
pub(crate) use prefix::Prefix;

/// The agent's configuration, checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) node: String,
    pub(crate) source: Source,
    /// On Kubernetes, how the node's pods are found.
    pub(crate) kubernetes: Option<Node>,
    pub(crate) identity: Identity,
    pub(crate) capture: Capture,
    pub(crate) listen: Listen,
    pub(crate) log: Log,
    pub(crate) workers: usize,
    pub(crate) standby: bool,
    pub(crate) drain: Duration,
}

/// Where certificates come from.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) signer: Signer,
    pub(crate) lifetime: Duration,
    pub(crate) crl: Option<PathBuf>,
}

/// How the kernel is met.
#[derive(Debug, Clone)]
pub(crate) struct Capture {
    pub(crate) pods_cgroup: PathBuf,
    pub(crate) kubelet: Kubelet,
    pub(crate) bpffs: PathBuf,
    pub(crate) runtime_dir: PathBuf,
    pub(crate) holder: Option<PathBuf>,
    pub(crate) exclude: Vec<Prefix>,
    pub(crate) ebpf_log: u8,
    pub(crate) leave_closed: bool,
}

/// Addresses of the agent's own endpoints.
#[derive(Debug, Clone)]
pub(crate) struct Listen {
    pub(crate) admin: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) ready: SocketAddr,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) filter: String,
    pub(crate) json: bool,
}

impl Config {
    /// Joins flags and environment (which clap has read) with the file and checks every value.
    pub(crate) fn build(options: &RunOptions) -> Result<Self, Problems> {
        let mut reader = Reader::default();
        let file = options.config.as_deref().map(|path| reader.file(path)).unwrap_or_default();
        let s = options.settings.clone().or(file);
        let node: String = reader.required("node", s.node.clone());
        let kubernetes = node::read(&mut reader, &s);
        let (source, signer) = control::read(&mut reader, &node, &s);
        let config = Self {
            node,
            source,
            kubernetes,
            identity: Identity {
                signer,
                lifetime: reader.duration("cert-lifetime", s.cert_lifetime, Duration::from_secs(24 * 3600)),
                crl: s.crl.map(PathBuf::from),
            },
            capture: Capture {
                pods_cgroup: reader.required("pods-cgroup", s.pods_cgroup),
                kubelet: s.kubelet_cgroup.map_or(Kubelet::Nobody, |dir| Kubelet::Cgroup(dir.into())),
                bpffs: s.bpffs.unwrap_or_else(|| "/sys/fs/bpf/weir".into()).into(),
                runtime_dir: s.runtime_dir.unwrap_or_else(|| "/run/weir".into()).into(),
                holder: s.holder.map(PathBuf::from),
                exclude: reader.list("exclude", s.exclude),
                ebpf_log: reader.choice(
                    "ebpf-log",
                    s.ebpf_log,
                    &["off", "error", "warn", "info", "debug", "trace"],
                ) as u8,
                leave_closed: reader.choice("leave", s.leave, &["open", "closed"]) == 1,
            },
            listen: Listen {
                admin: reader.or("admin", s.admin, "127.0.0.1:15000"),
                metrics: reader.or("metrics", s.metrics, "[::]:15020"),
                ready: reader.or("ready", s.ready, "[::]:15021"),
            },
            log: Log {
                filter: s.log.unwrap_or_else(|| "info".into()),
                json: reader.choice("log-format", s.log_format, &["text", "json"]) == 1,
            },
            workers: workers(&mut reader, s.workers),
            standby: reader.choice("standby", s.standby, &["false", "true"]) == 1,
            drain: reader.duration("drain", s.drain, Duration::from_secs(5)),
        };
        reader.finish("weir-agent run --help")?;
        Ok(config)
    }
}

impl Config {
    /// With what was left to be found on the node. Called before there are threads.
    pub(crate) fn found(mut self) -> anyhow::Result<Self> {
        let auto = Path::new(cgroups::AUTO);
        let capture = &mut self.capture;
        let seek_kubelet = capture.kubelet == Kubelet::Cgroup(auto.into());
        if capture.pods_cgroup != auto && !seek_kubelet {
            return Ok(self);
        }
        cgroups::enter_the_nodes()?;
        if seek_kubelet {
            capture.kubelet = cgroups::kubelet();
        }
        if capture.pods_cgroup == auto {
            capture.pods_cgroup = cgroups::pods(&self.node)?;
        }
        tracing::info!(pods = %capture.pods_cgroup.display(), kubelet = ?capture.kubelet, "cgroups of this node");
        Ok(self)
    }
}

impl Settings {
    /// What is set here, and else what is set in `other`.
    fn or(self, other: Self) -> Self {
        Self {
            node: self.node.or(other.node),
            xds_address: self.xds_address.or(other.xds_address),
            mesh_file: self.mesh_file.or(other.mesh_file),
            ca_address: self.ca_address.or(other.ca_address),
            ca_dir: self.ca_dir.or(other.ca_dir),
            token_file: self.token_file.or(other.token_file),
            root_cert_file: self.root_cert_file.or(other.root_cert_file),
            control_host: self.control_host.or(other.control_host),
            cluster_id: self.cluster_id.or(other.cluster_id),
            network: self.network.or(other.network),
            pod_netns: self.pod_netns.or(other.pod_netns),
            node_pods: self.node_pods.or(other.node_pods),
            cni_socket: self.cni_socket.or(other.cni_socket),
            cni_wait: self.cni_wait.or(other.cni_wait),
            cni_plugin: self.cni_plugin.or(other.cni_plugin),
            cni_bin_dir: self.cni_bin_dir.or(other.cni_bin_dir),
            cni_conf_dir: self.cni_conf_dir.or(other.cni_conf_dir),
            cni_exclude_namespaces: self.cni_exclude_namespaces.or(other.cni_exclude_namespaces),
            cni_uninstall_on_stop: self.cni_uninstall_on_stop.or(other.cni_uninstall_on_stop),
            pod_name: self.pod_name.or(other.pod_name),
            pod_namespace: self.pod_namespace.or(other.pod_namespace),
            service_account: self.service_account.or(other.service_account),
            instance_ip: self.instance_ip.or(other.instance_ip),
            cert_lifetime: self.cert_lifetime.or(other.cert_lifetime),
            crl: self.crl.or(other.crl),
            pods_cgroup: self.pods_cgroup.or(other.pods_cgroup),
            kubelet_cgroup: self.kubelet_cgroup.or(other.kubelet_cgroup),
            bpffs: self.bpffs.or(other.bpffs),
            runtime_dir: self.runtime_dir.or(other.runtime_dir),
            holder: self.holder.or(other.holder),
            exclude: self.exclude.or(other.exclude),
            workers: self.workers.or(other.workers),
            admin: self.admin.or(other.admin),
            metrics: self.metrics.or(other.metrics),
            ready: self.ready.or(other.ready),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
            ebpf_log: self.ebpf_log.or(other.ebpf_log),
            leave: self.leave.or(other.leave),
            standby: self.standby.or(other.standby),
            drain: self.drain.or(other.drain),
        }
    }
}

fn workers(reader: &mut Reader, value: Option<String>) -> usize {
    let Some(text) = value else {
        let cpus = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
        return cpus.clamp(2, MAX_WORKERS);
    };
    match text.parse() {
        Ok(n) if (1..=MAX_WORKERS).contains(&n) => n,
        _ => reader.wrong(format!("workers: {text:?} is not a number from 1 to {MAX_WORKERS}")),
    }
}

/// The kernel programs have slots for so many workers.
const MAX_WORKERS: usize = 16;

#[cfg(test)]
mod tests;
