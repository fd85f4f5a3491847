//! Where pods and the kubelet are in the cgroup v2 tree, when the settings leave it to us (`auto`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use weir_datapath::Kubelet;

/// The word that leaves it to us.
pub(crate) const AUTO: &str = "auto";

/// Sees the cgroup tree as the node does: a container may have a view of its own, in which everything else is above the
/// root. For the thread that calls it, and those that it starts: call it before there are others.
pub(crate) fn enter_the_nodes() -> anyhow::Result<()> {
    let (node, own) = (Path::new("/proc/1/ns/cgroup"), Path::new("/proc/self/ns/cgroup"));
    let inode = super::places::inode;
    if inode(node).is_none() || inode(node) == inode(own) {
        return Ok(());
    }
    let file = fs::File::open(node)
        .with_context(|| format!("cannot open {} (hostPID, SYS_PTRACE)", node.display()))?;
    let kind = Some(LinkNameSpaceType::ControlGroup);
    move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), kind)
        .context("cannot see the node's cgroups (CAP_SYS_ADMIN)")
}

/// The directory below which all pods are. The agent is one of them; where pods are not in the v2 tree (their controllers
/// are in v1 hierarchies), it is the root, and the agent moves into a cgroup of its own, for it is exempt by its cgroup.
pub(crate) fn pods(node: &str) -> anyhow::Result<PathBuf> {
    let mount = mount()?;
    let own = own()?;
    if let Some(path) = pods_in(&own) {
        return Ok(mount.join(path));
    }
    let home = mount.join(format!("weir-agent-{node}"));
    let moved = || -> io::Result<()> {
        fs::create_dir_all(&home)?;
        fs::write(home.join("cgroup.procs"), std::process::id().to_string())
    };
    moved().with_context(|| format!("cannot move into the cgroup {}", home.display()))?;
    tracing::info!(cgroup = %home.display(), "pods are not in the cgroup v2 tree: hooks at its root, and the agent in a cgroup of its own");
    Ok(mount)
}

/// How the kubelet is known, when it is left to us: by its process where the kernel can tell one, else by its cgroup, if that
/// is nobody else's.
pub(crate) fn kubelet() -> Kubelet {
    if weir_datapath::tells_processes_apart()
        && let Ok(mount) = mount()
    {
        return Kubelet::Process(mount);
    }
    kubelets_own().map_or(Kubelet::Nobody, Kubelet::Cgroup)
}

fn kubelets_own() -> Option<PathBuf> {
    let Some(kubelet) = super::kubelet::find() else {
        tracing::warn!(
            "no kubelet is found on this node: its probes are taken for anybody's connections (--kubelet-cgroup)"
        );
        return None;
    };
    let path = v2(&fs::read_to_string(format!("/proc/{}/cgroup", kubelet.pid)).ok()?)?;
    let cgroup = mount().ok()?.join(path.trim_start_matches('/'));
    if path == "/" || path.contains("/../") || !is_alone(&cgroup, kubelet.pid) {
        tracing::warn!(%path, "the kubelet has no cgroup of its own, and this kernel (before 6.10, or without BTF) cannot tell processes: \
            its probes are taken for anybody's connections (--kubelet-cgroup)");
        return None;
    }
    Some(cgroup)
}

/// Whether all that is in the cgroup is this process and what it started.
fn is_alone(cgroup: &Path, pid: u32) -> bool {
    let is_its = |other: &str| other == pid.to_string() || parent(other) == Some(pid);
    fs::read_to_string(cgroup.join("cgroup.procs")).is_ok_and(|text| text.lines().all(is_its))
}

/// Field 4 of `/proc/<pid>/stat`, counted behind the name.
fn parent(pid: &str) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn own() -> anyhow::Result<String> {
    let text = fs::read_to_string("/proc/self/cgroup").context("cannot read the agent's own cgroup")?;
    v2(&text).context("this kernel has no cgroup v2 tree; the programs are attached there")
}

fn v2(text: &str) -> Option<String> {
    Some(text.lines().find_map(|line| line.strip_prefix("0::"))?.trim_end_matches(" (deleted)").to_owned())
}

fn mount() -> anyhow::Result<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo")?;
    text.lines()
        .find_map(mount_in)
        .context("no cgroup v2 hierarchy is mounted as a whole; mount the node's /sys/fs/cgroup")
}

/// A line of mountinfo (proc_pid_mountinfo(5)) that shows all of the v2 tree.
fn mount_in(line: &str) -> Option<PathBuf> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    (filesystem.starts_with("cgroup2 ") && root == "/").then(|| point.into())
}

/// The part of a pod's path that all pods have in common.
fn pods_in(path: &str) -> Option<PathBuf> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let last = parts.iter().position(|part| part.contains("kubepods"))?;
    Some(parts[..=last].iter().collect())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/kubepods/burstable/podx/y", Some("kubepods"))]
    #[case(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podx.slice/y.scope",
        Some("kubepods.slice")
    )]
    #[case(
        "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podx.slice/y.scope",
        Some("kubelet.slice/kubelet-kubepods.slice")
    )]
    #[case("/docker/8c1f/kubelet/kubepods/podx/y", Some("docker/8c1f/kubelet/kubepods"))]
    #[case("/system.slice/weir-agent.service", None)]
    #[case("/", None)]
    fn all_pods_are_below(#[case] own: &str, #[case] pods: Option<&str>) {
        assert_eq!(pods_in(own), pods.map(PathBuf::from));
    }

    #[rstest]
    #[case(
        "35 24 0:30 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw",
        Some("/sys/fs/cgroup/unified")
    )]
    #[case("35 24 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate", Some("/sys/fs/cgroup"))]
    #[case("35 24 0:30 /x /sys/fs/cgroup rw - cgroup2 cgroup rw", None)]
    #[case("36 24 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu", None)]
    fn the_whole_tree(#[case] line: &str, #[case] at: Option<&str>) {
        assert_eq!(mount_in(line), at.map(PathBuf::from));
    }

    #[test]
    fn hybrid_trees_have_a_line_of_their_own() {
        assert_eq!(v2("5:memory:/kubepods/podx\n0::/\n").as_deref(), Some("/"));
        assert_eq!(v2("5:memory:/x\n"), None);
    }
}
