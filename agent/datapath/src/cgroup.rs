//! Where processes are in the cgroup v2 tree: the agent's own place, and whether a pod's processes are where the connect hook sees them.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// A mounted cgroup v2 hierarchy, as much of it as this mount shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    mount_point: PathBuf,
    /// The cgroup that the mount point shows.
    root: PathBuf,
}

impl Hierarchy {
    /// The mount that `directory` is in.
    pub(crate) fn of(directory: &Path) -> io::Result<Self> {
        let directory = directory.canonicalize()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let around = mounts
            .lines()
            .filter_map(parse_mount)
            .filter(|hierarchy| directory.starts_with(&hierarchy.mount_point));
        around.max_by_key(|hierarchy| hierarchy.mount_point.as_os_str().len()).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} is not in a mounted cgroup v2 hierarchy", directory.display()),
            )
        })
    }

    /// The cgroup of a directory, as `/proc/<pid>/cgroup` writes it.
    pub(crate) fn cgroup_of(&self, directory: &Path) -> io::Result<PathBuf> {
        let directory = directory.canonicalize()?;
        let below = directory.strip_prefix(&self.mount_point).unwrap_or(Path::new(""));
        Ok(normalise(&self.root.join(below)))
    }

    /// The id of a process's cgroup (`bpf_get_current_cgroup_id`), by its name in `/proc`; `None` if there is no such process, or
    /// the mount does not show it.
    pub(crate) fn id_of(&self, process: &str) -> Option<u64> {
        let cgroup = parse_cgroup(&fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?)?;
        let below = cgroup.strip_prefix(&self.root).ok()?.to_owned();
        Some(fs::metadata(self.mount_point.join(below)).ok()?.ino())
    }
}

/// A process in a pod's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    /// Process id.
    pub(crate) pid: u32,
    /// Command name.
    pub(crate) name: String,
    /// Its cgroup, as `/proc/<pid>/cgroup` writes it.
    pub(crate) cgroup: PathBuf,
}

/// The processes of these network namespaces, by inode number. Processes that end meanwhile are left out, and so are those that the
/// agent may not look at.
pub(crate) fn processes_of(namespaces: &BTreeSet<u64>) -> HashMap<u64, Vec<Process>> {
    let mut found: HashMap<u64, Vec<Process>> = HashMap::new();
    let Ok(entries) = fs::read_dir("/proc") else {
        return found;
    };
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let directory = entry.path();
        // Most processes of a node are in other namespaces: one readlink each, no more.
        let netns = crate::netns::inode_of_process(&directory).filter(|netns| namespaces.contains(netns));
        if let Some((netns, process)) = netns.and_then(|netns| Some((netns, inspect(&directory, pid)?))) {
            found.entry(netns).or_default().push(process);
        }
    }
    found
}

fn inspect(directory: &Path, pid: u32) -> Option<Process> {
    let cgroup = parse_cgroup(&fs::read_to_string(directory.join("cgroup")).ok()?)?;
    let name = fs::read_to_string(directory.join("comm")).ok()?.trim().to_owned();
    Some(Process { pid, name, cgroup })
}

/// The cgroup v2 line of `/proc/<pid>/cgroup`.
fn parse_cgroup(text: &str) -> Option<PathBuf> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(normalise(Path::new(path.strip_suffix(" (deleted)").unwrap_or(path))))
}

/// A line of mountinfo (proc_pid_mountinfo(5)), if it is a cgroup v2 mount.
fn parse_mount(line: &str) -> Option<Hierarchy> {
    let (mount, filesystem) = line.split_once(" - ")?;
    if filesystem.split(' ').next()? != "cgroup2" {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    Some(Hierarchy { root: normalise(Path::new(fields.next()?)), mount_point: PathBuf::from(fields.next()?) })
}

/// Takes `..` out: a cgroup namespace writes what lies outside of it as `/../x`. What leads above the root stays out of reach and is
/// marked so that it compares unequal to everything inside.
fn normalise(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir if clean == Path::new("/") || clean.ends_with("..") => clean.push(".."),
            Component::ParentDir => {
                clean.pop();
            }
            _ => {}
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_lines() {
        let line = "35 24 0:30 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw";
        assert_eq!(
            parse_mount(line),
            Some(Hierarchy { mount_point: "/sys/fs/cgroup/unified".into(), root: "/".into() })
        );
        assert_eq!(parse_mount("36 24 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu"), None);
        let nested = "35 24 0:30 /docker/abc /sys/fs/cgroup rw,relatime - cgroup2 cgroup rw";
        assert_eq!(parse_mount(nested).unwrap().root, Path::new("/docker/abc"));
    }

    #[test]
    fn cgroup_lines() {
        for (text, path) in [
            ("5:memory:/x\n0::/kubepods/pod1\n", Some("/kubepods/pod1")),
            ("0::/../../system.slice/sshd (deleted)\n", Some("/../../system.slice/sshd")),
            ("0::/a/../b\n", Some("/b")),
            ("5:memory:/x\n", None),
        ] {
            assert_eq!(parse_cgroup(text).as_deref(), path.map(Path::new), "{text}");
        }
        assert!(!parse_cgroup("0::/../kubepods/x").unwrap().starts_with("/kubepods"));
    }

    #[test]
    fn this_process_is_found() {
        let number = fs::metadata("/proc/self/ns/net").unwrap().ino();
        let found = processes_of(&[number].into());
        assert!(found[&number].iter().any(|process| process.pid == std::process::id()));
        assert!(processes_of(&BTreeSet::new()).is_empty());
    }
}
