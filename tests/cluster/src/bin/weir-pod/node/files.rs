//! Files of a node.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

/// Names below a folder, so many levels deep; a folder that is not there has none.
pub(super) fn names(folder: &Path, levels: usize) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    walk(folder, "", levels, &mut |name, _| _ = all.insert(name.to_owned()))?;
    Ok(all)
}

/// Folders right in a folder.
pub(super) fn folders(folder: &Path) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    walk(folder, "", 1, &mut |name, path| {
        if path.is_dir() {
            all.insert(format!("{}/{name}", folder.file_name().unwrap_or_default().display()));
        }
    })?;
    Ok(all)
}

/// Files right in a folder, each with a checksum.
pub(super) fn contents(folder: &Path) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    let mut failed = None;
    walk(folder, "", 1, &mut |name, path| match fs::read(path) {
        Ok(bytes) => _ = all.insert(format!("{name} {:08x}", crc32fast::hash(&bytes))),
        Err(error) if error.kind() == ErrorKind::IsADirectory => _ = all.insert(format!("{name}/")),
        Err(error) => failed = Some((path.to_owned(), error)),
    })?;
    match failed {
        Some((path, error)) => Err(error).with_context(|| format!("reading {}", path.display())),
        None => Ok(all),
    }
}

/// What the network namespace's sysctls say, but for those of pods' interfaces and what is not a setting.
pub(super) fn sysctls() -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for folder in ["ipv4", "ipv6", "core", "bridge", "netfilter"] {
        walk(&Path::new("/proc/sys/net").join(folder), folder, 4, &mut |name, path| {
            let is_of_a_pod = name.split('/').any(super::is_of_a_pod);
            let is_volatile = VOLATILE.iter().any(|end| name.ends_with(end));
            // Some can be written only.
            if let (false, false, Ok(value)) = (is_of_a_pod, is_volatile, fs::read_to_string(path)) {
                all.insert(format!("{name} = {}", value.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
        })?;
    }
    Ok(all)
}

/// Programs of Weir that run on the node, but for this one.
pub(super) fn processes() -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir("/proc")? {
        // One that ended since is none.
        let Ok(name) = fs::read_to_string(entry?.path().join("comm")) else { continue };
        let name = name.trim();
        if name.starts_with("weir-") && !OWN.contains(&name) {
            all.insert(name.to_owned());
        }
    }
    Ok(all)
}

fn walk(folder: &Path, above: &str, levels: usize, tell: &mut dyn FnMut(&str, &Path)) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        entries => entries.with_context(|| format!("reading {}", folder.display()))?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = if above.is_empty() { name } else { format!("{above}/{name}") };
        tell(&name, &entry.path());
        // Links are named and not followed.
        if levels > 1 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&entry.path(), &name, levels - 1, tell)?;
        }
    }
    Ok(())
}

/// They count, or are dice.
const VOLATILE: &[&str] = &[
    "nf_conntrack_count",
    "nf_conntrack_buckets",
    "tcp_fastopen_key",
    "stable_secret",
    "netdev_rss_key",
    "/flush",
    "tcp_ehash_entries",
    "fs-nr",
];
/// Of the suite itself.
const OWN: &[&str] = &["weir-pod", "weir-bookinfo"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_is_told_by_its_checksum() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("10-net.conflist"), "one").unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        let before = contents(folder.path()).unwrap();
        assert!(before.contains("sub/"), "{before:?}");
        fs::write(folder.path().join("10-net.conflist"), "two").unwrap();
        assert_ne!(contents(folder.path()).unwrap(), before);
    }

    #[test]
    fn levels_are_a_limit_and_nothing_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b/c")).unwrap();
        let all = names(folder.path(), 2).unwrap();
        assert_eq!(all, BTreeSet::from(["a".to_owned(), "a/b".to_owned()]));
        assert!(names(&folder.path().join("none"), 2).unwrap().is_empty());
    }

    #[test]
    fn settings_are_read() {
        let all = sysctls().unwrap();
        assert!(all.iter().any(|line| line.starts_with("ipv4/ip_forward = ")), "{} lines", all.len());
    }
}
