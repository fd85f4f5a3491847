//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands;

/// Installs Weir, looks at it, and explains what it does.
#[derive(Parser)]
#[command(
    name = "weir",
    version,
    after_help = "A first mesh:\n  \
weir install                                       # agents, controller\n  \
kubectl label namespace default istio.io/dataplane-mode=ambient\n  \
weir status                                        # who is captured, who is not\n  \
weir waypoint apply -n default --enroll-namespace  # requests, not only connections\n  \
weir explain default/sleep default/httpbin:8000    # may it, which way, and why\n\n\
Exit codes: 0 done; 1 it failed; 2 it was done, and what was looked at is not as it should be; 64 wrong usage."
)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone)]
pub(crate) struct Global {
    /// Kubeconfig of the cluster. [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig. [default: its current one]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Namespace of the mesh itself.
    #[arg(long, global = true, value_name = "NAME", default_value = "weir-system")]
    pub(crate) mesh_namespace: String,
    /// Say nothing about what is going on, only results and errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Install the mesh into a cluster, or make an installation what the flags say.
    Install(commands::install::Install),
    /// Bring an installation to this version, with the values that it has.
    Upgrade(commands::install::Upgrade),
    /// Take the mesh away; pods go on, without it.
    Uninstall(commands::uninstall::Uninstall),
    /// Print what would be installed.
    #[command(subcommand)]
    Manifest(commands::manifest::Manifest),
    /// Named sets of values.
    #[command(subcommand)]
    Profile(commands::profile::Profile),
    /// Compare a cluster with what was installed into it.
    VerifyInstall(commands::verify::VerifyInstall),
    /// Show how the mesh stands: agents, waypoints, who has heard the newest, which pods are not protected.
    Status(commands::status::StatusOptions),
    /// Find what is wrong with a configuration, in files or in the cluster.
    Analyze(commands::analyze::Analyze),
    /// Waypoints: what looks at requests.
    #[command(subcommand)]
    Waypoint(commands::waypoint::Waypoint),
    /// Show what an agent or a waypoint knows.
    #[command(subcommand)]
    Config(commands::config::Config),
    /// Say what becomes of a connection or a request: the decision, the rule, the place, and why.
    Explain(commands::explain::Explain),
    /// Collect what somebody needs who is to find out what is wrong, without secrets.
    BugReport(commands::bug_report::BugReport),
    /// Print a completion script for a shell.
    Completion(commands::completion::Completion),
}

/// What becomes of the process when a command has ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Done,
    /// The command did its work, and what it looked at is not as it should be.
    Found,
}
