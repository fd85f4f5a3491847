//! The command line. Values stay text here: `config` reads flags, environment and file by one door and reports all that
//! is wrong with them at once.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::Deserialize;

/// Parses the process's arguments; on `--help` or a usage error, the exit code to leave with.
pub fn parse() -> Result<Command, ExitCode> {
    weir_process::arguments::<Cli>().map(|cli| cli.command)
}

/// Weir's controller: reads Kubernetes' and Istio's objects, tells the node agents about the mesh, signs certificates.
#[derive(Parser)]
#[command(
    version,
    after_help = "Every flag of `run` can also be an environment variable (WEIR_ and the flag's name in capitals)\n\
or a line of the YAML file named by --config; a flag wins over the environment, the environment over the file.\n\n\
Without Kubernetes, on one machine:\n  \
weir-controller run --source dir:./mesh --state-dir /var/lib/weir\n  \
weir-controller token --state-dir /var/lib/weir --node a > /etc/weir/token"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What is to be done.
#[derive(Subcommand)]
pub enum Command {
    /// Run the controller until SIGTERM.
    Run(Box<RunOptions>),
    /// Print a token by which the agent of a node proves itself to a controller that reads a directory.
    Token(TokenOptions),
    /// Begin a rotation of the CA's root: announce a new one now, sign with it after one lifetime, drop the old one after two.
    RotateRoot(RotateOptions),
}

/// Options of `weir-controller run`.
#[derive(Args)]
pub struct RunOptions {
    /// YAML file with any of the settings below, by their names in camelCase.
    #[arg(long, env = "WEIR_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<String>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// What can be set by flag, environment or file. `None` means the default that the help names.
#[derive(Args, Deserialize, Default, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Where the objects are: kubernetes, or dir:PATH for a directory of YAML files, which is watched. [required]
    #[arg(long, env = "WEIR_SOURCE", value_name = "kubernetes|dir:PATH")]
    pub(crate) source: Option<String>,
    /// Kubeconfig of the cluster. [default: that of the pod, else $KUBECONFIG, else ~/.kube/config]
    #[arg(long, env = "WEIR_KUBECONFIG", value_name = "FILE")]
    pub(crate) kubeconfig: Option<String>,
    /// Directory of the CA (in `ca`) and of the keys of the agents' tokens (in `tokens`); made if it is not there. With
    /// Kubernetes both are in the cluster. [required with dir:]
    #[arg(long, env = "WEIR_STATE_DIR", value_name = "DIR")]
    pub(crate) state_dir: Option<String>,
    /// Id of the cluster. [default: Kubernetes]
    #[arg(long, env = "WEIR_CLUSTER_ID", value_name = "ID")]
    pub(crate) cluster_id: Option<String>,
    /// Trust domain of all identities. [default: cluster.local]
    #[arg(long, env = "WEIR_TRUST_DOMAIN", value_name = "NAME")]
    pub(crate) trust_domain: Option<String>,
    /// DNS suffix of the cluster's services. [default: cluster.local]
    #[arg(long, env = "WEIR_CLUSTER_DOMAIN", value_name = "NAME")]
    pub(crate) cluster_domain: Option<String>,
    /// Namespace of the mesh itself; policies in it are for the whole mesh. [default: weir-system]
    #[arg(long, env = "WEIR_ROOT_NAMESPACE", value_name = "NAME")]
    pub(crate) root_namespace: Option<String>,
    /// Network of the cluster, when no label of the root namespace names one. [default: none]
    #[arg(long, env = "WEIR_NETWORK", value_name = "NAME")]
    pub(crate) network: Option<String>,
    /// Gateways of Istio's class istio-waypoint are taken over, too. [default: false]
    #[arg(long, env = "WEIR_ADOPT_ISTIO_CLASSES", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) adopt_istio_classes: Option<String>,
    /// Policies with annotation istio.io/dry-run are sent, marked as such; proxies that do not know the mark enforce
    /// them. [default: false]
    #[arg(long, env = "WEIR_DRY_RUN_POLICIES", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) dry_run_policies: Option<String>,
    /// Traffic whose waypoint is missing or not ready goes directly, as with Istio, instead of being refused.
    /// [default: false]
    #[arg(long, env = "WEIR_WAYPOINT_FALLBACK_DIRECT", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) waypoint_fallback_direct: Option<String>,
    /// What comes past a waypoint is let in, as with Istio, except where label weir.dev/require-waypoint says that it must
    /// not be. [default: false]
    #[arg(long, env = "WEIR_WAYPOINT_BYPASS", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) waypoint_bypass: Option<String>,
    /// Image that waypoints are deployed with, holding weir-waypoint. Without it Gateways of class weir-waypoint are told that
    /// nothing is deployed for them. [default: none]
    #[arg(long, env = "WEIR_WAYPOINT_IMAGE", value_name = "IMAGE")]
    pub(crate) waypoint_image: Option<String>,
    /// Namespaces whose pods are never enrolled; the root namespace always is one. [default: kube-system]
    #[arg(long, env = "WEIR_EXCLUDE_NAMESPACES", value_name = "NAME,...")]
    pub(crate) exclude_namespaces: Option<String>,
    /// Only pods whose label istio.io/rev, or their namespace's, has this value are enrolled: beside another mesh that goes by
    /// the same labels. [default: all that are asked for]
    #[arg(long, env = "WEIR_REVISION", value_name = "NAME")]
    pub(crate) revision: Option<String>,
    /// Take the taint weir.dev/agent-not-ready from a node when its agent is ready. [default: false]
    #[arg(long, env = "WEIR_UNTAINT_NODES", value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) untaint_nodes: Option<String>,
    /// Service accounts whose pods may ask for certificates of other pods of their node, and read the whole mesh.
    /// [default: weir-agent and ztunnel of the root namespace]
    #[arg(long, env = "WEIR_NODE_ACCOUNTS", value_name = "NAMESPACE/NAME,...")]
    pub(crate) node_accounts: Option<String>,
    /// Names and addresses beside the service's own for which this controller has a certificate. [default: localhost,
    /// 127.0.0.1, ::1]
    #[arg(long, env = "WEIR_SERVER_NAMES", value_name = "NAME,...")]
    pub(crate) server_names: Option<String>,
    /// The longest lifetime of a workload's certificate. [default: 24h]
    #[arg(long, env = "WEIR_MAX_CERT_LIFETIME", value_name = "DURATION")]
    pub(crate) max_cert_lifetime: Option<String>,
    /// How long each step of a root rotation stands. [default: max-cert-lifetime]
    #[arg(long, env = "WEIR_ROTATION_OVERLAP", value_name = "DURATION")]
    pub(crate) rotation_overlap: Option<String>,
    /// Changes are collected until there is none for so long. [default: 10ms]
    #[arg(long, env = "WEIR_DEBOUNCE", value_name = "DURATION")]
    pub(crate) debounce: Option<String>,
    /// Changes are collected no longer than this. [default: 100ms]
    #[arg(long, env = "WEIR_DEBOUNCE_MAX", value_name = "DURATION")]
    pub(crate) debounce_max: Option<String>,
    /// Address of discovery and certificate signing (gRPC over TLS). [default: [::]:15012]
    #[arg(long, env = "WEIR_LISTEN", value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Address of metrics, health and debug pages (HTTP). [default: [::]:15014]
    #[arg(long, env = "WEIR_MONITORING", value_name = "ADDR")]
    pub(crate) monitoring: Option<String>,
    /// Address of the validating webhook (HTTPS), or none. [default: [::]:15017 with kubernetes, none with dir:]
    #[arg(long, env = "WEIR_ADMISSION", value_name = "ADDR|none")]
    pub(crate) admission: Option<String>,
    /// What becomes of objects while no controller can check them: open lets them in, closed refuses them.
    /// [default: open]
    #[arg(long, env = "WEIR_ADMISSION_FAILURE", value_name = "open|closed")]
    pub(crate) admission_failure: Option<String>,
    /// What to log: a level, or directives such as info,weir_serve=debug. [default: info]
    #[arg(long, env = "WEIR_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// text or json. [default: text]
    #[arg(long, env = "WEIR_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
}

/// Options of `weir-controller token`.
#[derive(Args)]
pub struct TokenOptions {
    /// The controller's state directory.
    #[arg(long, env = "WEIR_STATE_DIR", value_name = "DIR")]
    pub(crate) state_dir: String,
    /// Node that the agent runs on.
    #[arg(long, env = "WEIR_NODE", value_name = "NAME")]
    pub(crate) node: String,
    /// Service account of the agent.
    #[arg(long, default_value = "weir-system/weir-agent", value_name = "NAMESPACE/NAME")]
    pub(crate) service_account: String,
    /// How long the token is good.
    #[arg(long, default_value = "8760h", value_name = "DURATION")]
    pub(crate) lifetime: String,
}

/// Options of `weir-controller rotate-root`.
#[derive(Args)]
pub struct RotateOptions {
    /// The controller's state directory; the running controller sees the change.
    #[arg(long, env = "WEIR_STATE_DIR", value_name = "DIR")]
    pub(crate) state_dir: String,
}
