//! What the suite is told.

use std::path::PathBuf;

use clap::Parser;

/// Install Weir into a cluster, try it, take it away, and see that nothing is left
///
/// The cluster must not have a mesh. Its nodes must have both images: the mesh's (`cargo xtask image`) and the programs of the tests
/// (`cargo xtask image --tests`).
#[derive(Debug, Clone, Parser)]
#[command(name = "live")]
pub(crate) struct Settings {
    /// The cluster
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub(crate) kubeconfig: PathBuf,
    /// The command `weir`; without it, the one that was built beside this program
    #[arg(long, env = "WEIR_BIN", value_name = "FILE")]
    pub(crate) weir: Option<PathBuf>,
    /// Image of the programs that run in pods
    #[arg(long, env = "WEIR_TEST_IMAGE", default_value = concat!("weir-tests:", env!("CARGO_PKG_VERSION")), value_name = "NAME")]
    pub(crate) image: String,
    /// Values for `weir install`, over those that the suite needs
    #[arg(long, env = "WEIR_TEST_SET", value_delimiter = ';', value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Only stories with this in their name, between coming and going
    #[arg(value_name = "PART")]
    pub(crate) only: Option<String>,
    /// Take away a mesh that is there, before the suite begins
    #[arg(long, env = "WEIR_TEST_FRESH")]
    pub(crate) fresh: bool,
    /// Leave everything as it is at the end, to look around
    #[arg(long, env = "WEIR_TEST_KEEP")]
    pub(crate) keep: bool,
}
