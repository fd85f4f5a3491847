//! Which directory entries decide what a path means.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Directories, and in each the names that matter.
pub(super) type Trail = BTreeMap<PathBuf, BTreeSet<OsString>>;

/// Walks an absolute path as the kernel does and notes every entry whose change would change where it ends:
/// each symbolic link, the file itself, and the first entry that does not exist.
pub(super) fn follow(path: &Path) -> Trail {
    let mut trail = Trail::new();
    let mut links = 0;
    let mut at = PathBuf::from("/");
    let mut rest = parts(path);
    while let Some(part) = rest.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let entry = at.join(&part);
        let found = std::fs::symlink_metadata(&entry);
        let link = found.as_ref().is_ok_and(std::fs::Metadata::is_symlink);
        if link || found.is_err() || rest.is_empty() {
            trail.entry(at.clone()).or_default().insert(part);
        }
        if found.is_err() {
            break;
        }
        if !link {
            at = entry;
            continue;
        }
        links += 1;
        let Some(target) = std::fs::read_link(&entry).ok().filter(|_| links <= MAX_LINKS) else { break };
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        rest.extend(parts(&target));
    }
    trail
}

/// The names of a path, last first.
fn parts(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

/// The kernel's own limit (MAXSYMLINKS).
const MAX_LINKS: usize = 40;
