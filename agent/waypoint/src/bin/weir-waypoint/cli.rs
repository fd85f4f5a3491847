//! The command line. Values stay text here: `config` reads flags, environment and file by one door and reports all that is
//! wrong with them at once.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::Deserialize;

/// Parses the process's arguments; on `--help` or a usage error, the exit code to leave with.
pub(crate) fn parse() -> Result<Command, ExitCode> {
    weir_process::arguments::<Cli>().map(|cli| cli.command)
}

/// Weir's waypoint: routes, balances and authorizes the requests of services.
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
    /// Run the waypoint of one Gateway until SIGTERM.
    Run(Box<RunOptions>),
}

/// Options of `weir-waypoint run`.
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
    /// Gateway that is served: NAMESPACE/NAME. [required]
    #[arg(long, env = "WEIR_GATEWAY", value_name = "NAMESPACE/NAME")]
    pub(crate) gateway: Option<String>,
    /// Control plane to live from: https://HOST[:PORT]. [required]
    #[arg(long, env = "WEIR_XDS_ADDRESS", value_name = "URL")]
    pub(crate) xds_address: Option<String>,
    /// Certificate authority to ask: https://HOST[:PORT]. [default: xds-address]
    #[arg(long, env = "WEIR_CA_ADDRESS", value_name = "URL")]
    pub(crate) ca_address: Option<String>,
    /// Token that proves to the control plane who this waypoint is, read for each request.
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
    /// Cluster that this waypoint is in. [default: Kubernetes]
    #[arg(long, env = "WEIR_CLUSTER_ID", value_name = "NAME")]
    pub(crate) cluster_id: Option<String>,
    /// Network that this waypoint is in, in a mesh of several. [default: none]
    #[arg(long, env = "WEIR_NETWORK", value_name = "NAME")]
    pub(crate) network: Option<String>,
    /// This waypoint's own pod. [required]
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub(crate) pod_name: Option<String>,
    /// The namespace of its pod. [required]
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
    /// Threads that carry traffic, 1 to 64. [default: the CPU limit]
    #[arg(long, env = "WEIR_WORKERS", value_name = "N")]
    pub(crate) workers: Option<String>,
    /// Where tunnels come in. [default: [::]:15008]
    #[arg(long, env = "WEIR_LISTEN", value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Address of the admin endpoint: config dump, log level, quit. [default: 127.0.0.1:15000]
    #[arg(long, env = "WEIR_ADMIN", value_name = "ADDR")]
    pub(crate) admin: Option<String>,
    /// Address of the Prometheus endpoint. [default: [::]:15020]
    #[arg(long, env = "WEIR_METRICS", value_name = "ADDR")]
    pub(crate) metrics: Option<String>,
    /// Address of the readiness endpoint. [default: [::]:15021]
    #[arg(long, env = "WEIR_READY", value_name = "ADDR")]
    pub(crate) ready: Option<String>,
    /// A line for each request on standard output: text, json or off. [default: text]
    #[arg(long, env = "WEIR_ACCESS_LOG", value_name = "FORMAT")]
    pub(crate) access_log: Option<String>,
    /// What to log: a level, or directives such as info,weir_waypoint=debug. [default: info]
    #[arg(long, env = "WEIR_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// text or json. [default: text]
    #[arg(long, env = "WEIR_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// Servers to ask for the addresses of endpoints that are names, as comma-separated list. [default: those of the
    /// system's resolv.conf]
    #[arg(long, env = "WEIR_DNS_SERVERS", value_name = "IP[:PORT],...")]
    pub(crate) dns_servers: Option<String>,
    /// After SIGTERM, how long to go on as before, but not ready: until nobody sends new connections here any more.
    /// [default: 5s]
    #[arg(long, env = "WEIR_DRAIN_DELAY", value_name = "DURATION")]
    pub(crate) drain_delay: Option<String>,
    /// How long open connections may go on after that. [default: 30s]
    #[arg(long, env = "WEIR_DRAIN", value_name = "DURATION")]
    pub(crate) drain: Option<String>,
}
