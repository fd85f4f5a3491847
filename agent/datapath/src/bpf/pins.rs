//! The directory of pins, which outlives the agent.
//!
//! ```text
//! <root>/maps/ENROLLED, ...         the node's maps
//! <root>/links/connect4, ...        the node's links
//! <root>/pods/<pod>/link            one directory per pod: its link and maps
//! ```
//! bpffs forbids dots in names.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{error::BpfError, link::Link, object::Pins, sys::LinkTarget};

/// One directory of `<root>/pods`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PinnedPod {
    /// Name of the directory.
    pub(crate) name: String,
    /// Inode of the namespace that the pinned link is on; 0 = the namespace is gone (or there is no link).
    pub(crate) netns_ino: u32,
}

/// What an earlier agent left pinned.
pub(crate) fn list_pinned_pods(root: &Path) -> Result<Vec<PinnedPod>, BpfError> {
    let dir = pods_dir(root);
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(BpfError::File { action: "list", path: dir, source }),
    };
    let mut pods = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| BpfError::File { action: "list", path: dir.clone(), source })?;
        let netns_ino = match Link::open(&entry.path().join(LINK))?.map(|link| link.info()).transpose()? {
            Some(info) => match info.target {
                LinkTarget::Netns { ino, .. } => ino,
                _ => 0,
            },
            None => 0,
        };
        pods.push(PinnedPod { name: entry.file_name().to_string_lossy().into_owned(), netns_ino });
    }
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(pods)
}

/// Removes the pins of one pod; its link detaches unless a running agent holds it. Nothing there is fine.
pub(crate) fn remove_pinned_pod(root: &Path, name: &str) -> Result<(), BpfError> {
    remove_tree(&pod_dir(root, name))
}

/// File name of a pod's pinned link.
pub(super) const LINK: &str = "link";

pub(super) fn pods_dir(root: &Path) -> PathBuf {
    root.join("pods")
}

pub(super) fn pod_dir(root: &Path, name: &str) -> PathBuf {
    pods_dir(root).join(name)
}

pub(super) fn link(root: &Path, hook: &str) -> PathBuf {
    root.join("links").join(hook)
}

/// Pins of the node's maps with these names.
pub(super) fn node_maps(root: &Path, names: &[&'static str]) -> Pins {
    names.iter().map(|name| (*name, root.join("maps").join(name))).collect()
}

/// Makes the directories, on a BPF file system.
pub(super) fn prepare(root: &Path) -> Result<(), BpfError> {
    if !on_bpffs(root) {
        mount(root)?;
    }
    for dir in [root.join("maps"), root.join("links"), pods_dir(root)] {
        create_dir(&dir)?;
    }
    Ok(())
}

pub(super) fn create_dir(dir: &Path) -> Result<(), BpfError> {
    fs::create_dir_all(dir).map_err(|source| BpfError::File {
        action: "create",
        path: dir.to_owned(),
        source,
    })
}

/// Removes a directory of pins with all that is in it.
pub(super) fn remove_tree(dir: &Path) -> Result<(), BpfError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|source| BpfError::File { action: "remove", path: dir.to_owned(), source }),
    }
}

/// The directory, or the nearest parent that exists, is on a BPF file system.
fn on_bpffs(path: &Path) -> bool {
    const BPF_FS_MAGIC: i64 = 0xcafe_4a11;
    path.ancestors().find_map(|dir| rustix::fs::statfs(dir).ok()).is_some_and(|fs| fs.f_type == BPF_FS_MAGIC)
}

/// A host without systemd has nothing at /sys/fs/bpf. Mount it there, but only in the host's own mount namespace: in a
/// container's the mount, and with it every pin and every link, would end with the container, and capture would open.
fn mount(root: &Path) -> Result<(), BpfError> {
    const STANDARD: &str = "/sys/fs/bpf";
    let refuse = || BpfError::NotBpffs { path: root.to_owned() };
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt"));
    if !root.starts_with(STANDARD) || namespace("1").ok() != namespace("thread-self").ok() {
        return Err(refuse());
    }
    rustix::mount::mount(c"bpf", STANDARD, c"bpf", rustix::mount::MountFlags::empty(), Some(c"mode=0700"))
        .map_err(|source| BpfError::File {
            action: "mount a BPF file system at",
            path: STANDARD.into(),
            source: source.into(),
        })?;
    tracing::info!("mounted a BPF file system at {STANDARD}");
    if on_bpffs(root) { Ok(()) } else { Err(refuse()) }
}
