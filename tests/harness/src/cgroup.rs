//! Cgroups (v2 only) as places for processes.

use std::fs;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::wait;

/// One directory of the cgroup2 hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes `name` below the cgroup2 mount; on hybrid systems that is `/sys/fs/cgroup/unified`.
    pub(crate) fn create(name: &str) -> Result<Self> {
        Self::at(&mount_point()?.join(name))
    }

    /// The root of the hierarchy, which is everybody's: nothing in it ends with the run.
    pub(crate) fn root() -> Result<Self> {
        Ok(Self { path: mount_point()? })
    }

    /// Makes a child.
    pub fn child(&self, name: &str) -> Result<Self> {
        Self::at(&self.path.join(name))
    }

    /// Directory of the cgroup.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kernel's id of the cgroup, as `bpf_get_current_cgroup_id` gives it (its inode).
    pub fn id(&self) -> Result<u64> {
        Ok(fs::metadata(&self.path).with_context(|| format!("no cgroup {}", self.path.display()))?.st_ino())
    }

    /// Process ids in the cgroup itself (not below).
    pub fn processes(&self) -> Result<Vec<u32>> {
        let text = fs::read_to_string(self.path.join("cgroup.procs"))?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Kills every process of the subtree and waits until it is empty. Kernel 5.14.
    pub(crate) fn kill(&self) -> Result<()> {
        kill_below(&self.path)
    }

    /// Removes the subtree, which must be empty of processes.
    pub(crate) fn remove(&self) -> Result<()> {
        remove_below(&self.path)
    }

    fn at(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("cannot make cgroup {}", path.display()))?;
        Ok(Self { path: path.to_owned() })
    }
}

/// Where cgroup2 is mounted.
pub(crate) fn mount_point() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").context("cannot read /proc/mounts")?;
    mounts
        .lines()
        .find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (path, kind) = (fields.next()?, fields.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(path))
        })
        .context("no cgroup2 in /proc/mounts; mount one: mount -t cgroup2 none /sys/fs/cgroup/unified")
}

/// Kills what runs below `path`; nothing there is not an error.
pub(crate) fn kill_below(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    fs::write(path.join("cgroup.kill"), "1")
        .with_context(|| format!("cannot kill the processes in {}", path.display()))?;
    wait::until(&format!("{} to be empty", path.display()), Duration::from_secs(10), || {
        let events = fs::read_to_string(path.join("cgroup.events")).ok()?;
        events.contains("populated 0").then_some(())
    })
}

/// Removes the tree bottom-up; nothing there is not an error.
pub(crate) fn remove_below(path: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(path) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_below(&entry.path())?;
        }
    }
    // A process that was just killed may hold the cgroup for a moment after `populated 0`.
    wait::until_ok(&format!("{} to go", path.display()), Duration::from_secs(5), || {
        fs::remove_dir(path).with_context(|| format!("cannot remove {}", path.display()))
    })
}
