//! What the data path wants to know at start.

use std::net::IpAddr;
use std::path::PathBuf;

/// Settings of the data path; the agent fills them from its flags.
#[derive(Debug, Clone)]
pub struct Config {
    /// Mount point of (or directory in) a bpffs; everything is pinned below `<bpffs>/v1`. One per agent.
    pub bpffs: PathBuf,
    /// Directory for the small files that must survive a killed agent, `/run/weir`. One per agent.
    pub runtime_dir: PathBuf,
    /// cgroup v2 directory that holds all pods of the node.
    pub pods_cgroup: PathBuf,
    /// Whose probes pass to the app.
    pub kubelet: Kubelet,
    /// Data workers: each pod has one listener per worker and kind. 1 to 16.
    pub workers: usize,
    /// Destinations that are never captured, as network and prefix length.
    pub exclude: Vec<(IpAddr, u8)>,
    /// Log level of the kernel programs: 0 off, 1 error to 5 trace. Off costs nothing.
    pub ebpf_log_level: u8,
    /// Run the functional self-test at start. Off only where a test starts many data paths.
    pub self_test: bool,
    /// Socket of a running `weir-agent hold`, which keeps the listeners open while no agent runs. `None`: no holder.
    pub holder: Option<PathBuf>,
}

/// How the kubelet's connections are told from those of others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Kubelet {
    /// They are not: probes go to the agent as other traffic does.
    #[default]
    Nobody,
    /// All that is in this cgroup v2 directory is the kubelet.
    Cgroup(PathBuf),
    /// It is the process that [`crate::Datapath::set_kubelet`] names, wherever it is in this cgroup v2 tree.
    /// Needs what [`tells_processes_apart`] looks for.
    Process(PathBuf),
}

/// Whether the kernel lets a program that sees a connection ask which process makes it: Linux 6.10, with BTF.
pub fn tells_processes_apart() -> bool {
    crate::bpf::tells_processes_apart()
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bpffs: "/sys/fs/bpf/weir".into(),
            runtime_dir: "/run/weir".into(),
            pods_cgroup: "/sys/fs/cgroup/kubepods".into(),
            kubelet: Kubelet::Nobody,
            workers: 2,
            exclude: Vec::new(),
            ebpf_log_level: 0,
            self_test: true,
            holder: None,
        }
    }
}
