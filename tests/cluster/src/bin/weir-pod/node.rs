//! What is on a node. The pod has the node's network and process namespaces, and sees its files below `/proc/1/root`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use weir_cluster::said;

mod files;
mod netlink;
mod routing;

/// Prints [`said::NodeState`].
#[derive(Args)]
pub(crate) struct NodeState {
    /// Where the node's files are
    #[arg(long, default_value = "/proc/1/root", value_name = "DIR")]
    root: PathBuf,
    /// Where CNI's configuration is, on the node
    #[arg(long, default_value = "/etc/cni/net.d", value_name = "DIR")]
    cni_conf: PathBuf,
    /// Where CNI's programs are, on the node
    #[arg(long, default_value = "/opt/cni/bin", value_name = "DIR")]
    cni_bin: PathBuf,
}

impl NodeState {
    pub(crate) fn run(self) -> Result<()> {
        let on_node = |path: &str| self.root.join(path.trim_start_matches('/'));
        let below = |path: &PathBuf| self.root.join(path.strip_prefix("/").unwrap_or(path));
        let mut cni = files::contents(&below(&self.cni_conf))?;
        cni.extend(files::names(&below(&self.cni_bin), 1)?);
        // Both: one hierarchy is mounted at the first, and beside version 1 at the second.
        let mut cgroups = files::folders(&on_node("/sys/fs/cgroup"))?;
        cgroups.extend(files::folders(&on_node("/sys/fs/cgroup/unified"))?);
        let state = said::NodeState::from([
            ("rules".to_owned(), routing::rules()?),
            ("routes".to_owned(), routing::routes()?),
            ("nft".to_owned(), routing::nft()?),
            ("links".to_owned(), links()?),
            ("sysctls".to_owned(), files::sysctls()?),
            ("bpffs".to_owned(), files::names(&on_node("/sys/fs/bpf"), 8)?),
            ("run".to_owned(), files::names(&on_node("/run"), 1)?),
            ("cni".to_owned(), cni),
            ("cgroups".to_owned(), cgroups),
            ("processes".to_owned(), files::processes()?),
        ]);
        println!("{}", serde_json::to_string(&state)?);
        Ok(())
    }
}

/// Interfaces, but for those of pods.
fn links() -> Result<BTreeSet<String>> {
    let names = std::fs::read_to_string("/proc/net/dev")?;
    let names = names.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim().to_owned());
    Ok(names.filter(|name| !is_of_a_pod(name)).collect())
}

/// Comes and goes with pods, whoever makes them: what network plugins call their ends.
fn is_of_a_pod(interface: &str) -> bool {
    ["veth", "cali", "lxc", "azv", "eni", "gke", "cilium_"].iter().any(|start| interface.starts_with(start))
}
