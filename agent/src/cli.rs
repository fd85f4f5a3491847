//! The command line. Values stay text here: `config` reads flags, environment and file by one door
//! and reports all that is wrong with them at once.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::Deserialize;

/// Parses the process's arguments; on `--help` or a usage error, the exit code to leave with.
pub(crate) fn parse() -> Result<Command, ExitCode> {
    weir_process::arguments::<Cli>().map(|cli| cli.command)
}

/// Weir's node agent: captures the traffic of this node's pods with eBPF and carries it in mTLS.
#[derive(Parser)]
#[command(
    version,
    after_help = "Every flag of `run` can also be an environment variable (WEIR_ and the flag's name in capitals)\n\
or a line of the YAML file named by --config; a flag wins over the environment, the environment over the file."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the agent of one node until SIGTERM.
    Run(Box<RunOptions>),
    /// Show the connections of this node's pods as the kernel sees them, live.
    Trace(TraceOptions),
    /// Hold the pods' listening sockets while the agent restarts, so that no new connection fails.
    Hold(HoldOptions),
    /// The CNI plugin on this node.
    #[command(subcommand)]
    Cni(CniCommand),
}

#[derive(Subcommand)]
pub(crate) enum CniCommand {
    /// Take the plugin out of the node's lists and away. The agent must not run: it would put it back.
    Uninstall(UninstallOptions),
}

/// Options of `weir-agent cni uninstall`.
#[derive(Args)]
pub(crate) struct UninstallOptions {
    /// The node's directory of CNI plugins.
    #[arg(long, env = "WEIR_CNI_BIN_DIR", default_value = "/opt/cni/bin", value_name = "DIR")]
    pub(crate) cni_bin_dir: String,
    /// The node's directory of CNI configuration.
    #[arg(long, env = "WEIR_CNI_CONF_DIR", default_value = "/etc/cni/net.d", value_name = "DIR")]
    pub(crate) cni_conf_dir: String,
}

/// Options of `weir-agent run`.
#[derive(Args)]
pub(crate) struct RunOptions {
    /// YAML file with any of the settings below, by their names in camelCase.
    #[arg(long, env = "WEIR_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<String>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// What can be set by flag, environment or file. `None` means the default that the help names.
#[derive(Args, Deserialize, Default, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Name of this node, as workloads name it in their `node` field. [required]
    #[arg(long, env = "WEIR_NODE", value_name = "NAME")]
    pub(crate) node: Option<String>,
    /// Control plane to live from: https://HOST[:PORT]. [this or mesh-file is required]
    #[arg(long, env = "WEIR_XDS_ADDRESS", value_name = "URL")]
    pub(crate) xds_address: Option<String>,
    /// Workloads and services, as one YAML file that is watched, instead of a control plane.
    #[arg(long, env = "WEIR_MESH_FILE", value_name = "FILE")]
    pub(crate) mesh_file: Option<String>,
    /// Certificate authority to ask: https://HOST[:PORT]. [default: xds-address, unless ca-dir is given]
    #[arg(long, env = "WEIR_CA_ADDRESS", value_name = "URL")]
    pub(crate) ca_address: Option<String>,
    /// Directory of a certificate authority of this node's own; made with a new root if it is empty.
    #[arg(long, env = "WEIR_CA_DIR", value_name = "DIR")]
    pub(crate) ca_dir: Option<String>,
    /// Token that proves to the control plane who this agent is, read for each request.
    /// [default: /var/run/secrets/tokens/istio-token]
    #[arg(long, env = "WEIR_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<String>,
    /// Roots (PEM) that the control plane's certificate must lead to, read for each connection.
    /// [default: /var/run/secrets/istio/root-cert.pem]
    #[arg(long, env = "WEIR_ROOT_CERT_FILE", value_name = "FILE")]
    pub(crate) root_cert_file: Option<String>,
    /// Name that the control plane's certificate must have. [default: the host of its address]
    #[arg(long, env = "WEIR_CONTROL_HOST", value_name = "NAME")]
    pub(crate) control_host: Option<String>,
    /// Cluster that this node is in. [default: Kubernetes]
    #[arg(long, env = "WEIR_CLUSTER_ID", value_name = "NAME")]
    pub(crate) cluster_id: Option<String>,
    /// Network that this node is in, in a mesh of several. [default: none]
    #[arg(long, env = "WEIR_NETWORK", value_name = "NAME")]
    pub(crate) network: Option<String>,
    /// Network namespace of a pod of this node, by {name} and {namespace}. [default: /run/netns/{name}]
    #[arg(long, env = "WEIR_POD_NETNS", value_name = "PATTERN")]
    pub(crate) pod_netns: Option<String>,
    /// Pods of this node as weir-controller tells them, in a Kubernetes cluster: the CNI plugin and the processes of the
    /// node say where they are, in the place of --pod-netns. [default: false]
    #[arg(long, env = "WEIR_NODE_PODS", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) node_pods: Option<String>,
    /// Socket at which the CNI plugin asks. [default: /run/weir/cni.sock]
    #[arg(long, env = "WEIR_CNI_SOCKET", value_name = "SOCKET")]
    pub(crate) cni_socket: Option<String>,
    /// How long the plugin's ADD is held while the pod is not known, or not captured yet; then the runtime tries again later. At
    /// most 35s, for the plugin itself waits 40. [default: 30s]
    #[arg(long, env = "WEIR_CNI_WAIT", value_name = "DURATION")]
    pub(crate) cni_wait: Option<String>,
    /// The CNI plugin to be installed. [default: weir-cni beside this program]
    #[arg(long, env = "WEIR_CNI_PLUGIN", value_name = "FILE")]
    pub(crate) cni_plugin: Option<String>,
    /// The node's directory of CNI plugins. [default: no plugin is installed]
    #[arg(long, env = "WEIR_CNI_BIN_DIR", value_name = "DIR")]
    pub(crate) cni_bin_dir: Option<String>,
    /// The node's directory of CNI configuration, whose first list the plugin is chained into, and kept in.
    /// [default: no plugin is installed]
    #[arg(long, env = "WEIR_CNI_CONF_DIR", value_name = "DIR")]
    pub(crate) cni_conf_dir: Option<String>,
    /// Namespaces whose pods start whether or not an agent is there; this agent's own is always one. [default: kube-system]
    #[arg(long, env = "WEIR_CNI_EXCLUDE_NAMESPACES", value_name = "NAME,...")]
    pub(crate) cni_exclude_namespaces: Option<String>,
    /// Take the CNI plugin out when this agent stops in order. [default: false]
    #[arg(long, env = "WEIR_CNI_UNINSTALL_ON_STOP", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) cni_uninstall_on_stop: Option<String>,
    /// This agent's own pod. [default: weir-agent-NODE]
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub(crate) pod_name: Option<String>,
    /// The namespace of its pod, as its token says. [default: weir-system]
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME")]
    pub(crate) pod_namespace: Option<String>,
    /// The service account of its pod, for the control plane to compare. [default: not said]
    #[arg(long, env = "SERVICE_ACCOUNT", value_name = "NAME")]
    pub(crate) service_account: Option<String>,
    /// The addresses of its pod, as comma-separated list. [default: not said]
    #[arg(long, env = "INSTANCE_IP", value_name = "IP,...")]
    pub(crate) instance_ip: Option<String>,
    /// How long certificates are valid; they are renewed at half of it. [default: 24h]
    #[arg(long, env = "WEIR_CERT_LIFETIME", value_name = "DURATION")]
    pub(crate) cert_lifetime: Option<String>,
    /// Certificate revocation list (PEM), read again when it changes. [default: none]
    #[arg(long, env = "WEIR_CRL", value_name = "FILE")]
    pub(crate) crl: Option<String>,
    /// cgroup2 directory below which all pods run; the hooks are attached here. auto: found by this agent's own cgroup,
    /// which must be a pod's. [required]
    #[arg(long, env = "WEIR_PODS_CGROUP", value_name = "DIR|auto")]
    pub(crate) pods_cgroup: Option<String>,
    /// cgroup2 directory of the kubelet, whose probes to declared ports pass. auto: the process is found, and known by itself
    /// (before Linux 6.10 by its cgroup, if that is its own). [default: none]
    #[arg(long, env = "WEIR_KUBELET_CGROUP", value_name = "DIR|auto")]
    pub(crate) kubelet_cgroup: Option<String>,
    /// Directory on a bpffs for Weir's pinned programs and maps. [default: /sys/fs/bpf/weir]
    #[arg(long, env = "WEIR_BPFFS", value_name = "DIR")]
    pub(crate) bpffs: Option<String>,
    /// Directory for the state that a restart needs (saved sysctls). [default: /run/weir]
    #[arg(long, env = "WEIR_RUNTIME_DIR", value_name = "DIR")]
    pub(crate) runtime_dir: Option<String>,
    /// Socket of a running `weir-agent hold`. [default: none]
    #[arg(long, env = "WEIR_HOLDER", value_name = "SOCKET")]
    pub(crate) holder: Option<String>,
    /// Destinations that are never captured, as comma-separated prefixes. [default: none]
    #[arg(long, env = "WEIR_EXCLUDE", value_name = "CIDR,...")]
    pub(crate) exclude: Option<String>,
    /// Threads that carry traffic, 1 to 16. [default: the CPU limit, at least 2]
    #[arg(long, env = "WEIR_WORKERS", value_name = "N")]
    pub(crate) workers: Option<String>,
    /// Address of the admin endpoint: config dump, log level, trace, quit. [default: 127.0.0.1:15000]
    #[arg(long, env = "WEIR_ADMIN", value_name = "ADDR")]
    pub(crate) admin: Option<String>,
    /// Address of the Prometheus endpoint. [default: [::]:15020]
    #[arg(long, env = "WEIR_METRICS", value_name = "ADDR")]
    pub(crate) metrics: Option<String>,
    /// Address of the readiness endpoint. [default: [::]:15021]
    #[arg(long, env = "WEIR_READY", value_name = "ADDR")]
    pub(crate) ready: Option<String>,
    /// What to log: a level, or directives such as info,weir_tunnel=debug. [default: info]
    #[arg(long, env = "WEIR_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// text or json. [default: text]
    #[arg(long, env = "WEIR_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// Log level of the eBPF programs, fixed at load: off, error, warn, info, debug, trace. [default: off]
    #[arg(long, env = "WEIR_EBPF_LOG", value_name = "LEVEL")]
    pub(crate) ebpf_log: Option<String>,
    /// What a stopped agent leaves of the capture: open (nothing, pods speak plainly) or
    /// closed (pods stay captured and are refused until an agent is back). [default: open]
    #[arg(long, env = "WEIR_LEAVE", value_name = "open|closed")]
    pub(crate) leave: Option<String>,
    /// Wait for an agent that still runs on this node to end, instead of failing because its ports are taken: how a rolling
    /// upgrade has the next agent at hand before the last one goes. [default: false]
    #[arg(long, env = "WEIR_STANDBY", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) standby: Option<String>,
    /// How long open connections may go on after SIGTERM. [default: 5s]
    #[arg(long, env = "WEIR_DRAIN", value_name = "DURATION")]
    pub(crate) drain: Option<String>,
}

/// Options of `weir-agent trace`.
#[derive(Args)]
pub(crate) struct TraceOptions {
    /// Admin endpoint of the running agent.
    #[arg(long, env = "WEIR_ADMIN", default_value = "127.0.0.1:15000", value_name = "ADDR")]
    pub(crate) admin: String,
    /// Only events of this pod: NAME or NAMESPACE/NAME.
    #[arg(long, value_name = "POD")]
    pub(crate) pod: Option<String>,
    /// Stop after so many events.
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) count: Option<u64>,
    /// table for people, json for machines (one object a line).
    #[arg(long, short, default_value = "table", value_parser = ["table", "json"])]
    pub(crate) output: String,
}

/// Options of `weir-agent hold`.
#[derive(Args)]
pub(crate) struct HoldOptions {
    /// Where to listen for the agent.
    #[arg(long, env = "WEIR_HOLDER", default_value = "/run/weir/holder.sock", value_name = "SOCKET")]
    pub(crate) socket: String,
    /// What to log.
    #[arg(long, env = "WEIR_LOG", default_value = "info", value_name = "FILTER")]
    pub(crate) log: String,
}
