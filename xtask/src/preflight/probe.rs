//! Facts about the kernel and this process, read from /proc.

use std::fs;
use std::path::{Path, PathBuf};

/// Names of `needed` (bit, name) that the effective set of this process lacks.
pub(super) fn missing_capabilities(needed: &[(u32, &'static str)]) -> Vec<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let hex = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or_default();
    let effective = u64::from_str_radix(hex.trim(), 16).unwrap_or(0);
    missing_in(effective, needed)
}

fn missing_in(effective: u64, needed: &[(u32, &'static str)]) -> Vec<&'static str> {
    needed.iter().filter(|(bit, _)| effective & (1 << bit) == 0).map(|(_, name)| *name).collect()
}

/// Where the cgroup2 hierarchy is mounted, if it is.
pub(super) fn cgroup2_mount() -> Option<PathBuf> {
    find_mount(&fs::read_to_string("/proc/self/mountinfo").ok()?, "cgroup2")
}

/// The first mount of a file system type; see proc_pid_mountinfo(5) for the fields.
fn find_mount(mountinfo: &str, kind: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        (after.split(' ').next()? == kind).then(|| before.split(' ').nth(4).map(PathBuf::from))?
    })
}

/// Tries it, with a folder that is removed at once.
pub(super) fn can_make_folder(parent: &Path) -> bool {
    let folder = parent.join(format!("weir-preflight-{}", std::process::id()));
    fs::create_dir(&folder).and_then(|()| fs::remove_dir(&folder)).is_ok()
}

/// True if the kernel knows a file system type.
pub(super) fn has_file_system(kind: &str) -> bool {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    known.lines().any(|line| line.split_whitespace().last() == Some(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_missing_capabilities() {
        let needed = [(12, "CAP_NET_ADMIN"), (39, "CAP_BPF")];
        assert_eq!(missing_in(u64::MAX, &needed), Vec::<&str>::new());
        assert_eq!(missing_in(1 << 12, &needed), ["CAP_BPF"]);
        assert_eq!(missing_in(0, &needed), ["CAP_NET_ADMIN", "CAP_BPF"]);
    }

    #[test]
    fn finds_the_mount_of_a_hybrid_machine() {
        let text = "30 24 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs rw\n\
                    31 30 0:27 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n\
                    32 30 0:28 / /sys/fs/cgroup/unified rw,nosuid shared:10 master:1 - cgroup2 cgroup2 rw\n";
        assert_eq!(find_mount(text, "cgroup2"), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(find_mount(text, "bpf"), None);
    }
}
