//! A look at a directory: which files there are, and where one cannot look.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// A path that could not be read, and why.
pub(super) type Failure = (PathBuf, io::Error);

pub(super) type Files = BTreeMap<PathBuf, Stamp>;

/// What a look finds: files, and places where one cannot look.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Files,
    pub(super) unseen: Vec<Failure>,
}

/// Changes with the content. The time of change is not for users to set, and its steps (of some milliseconds) are
/// shorter than the time for which a file must stand still before it is read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

pub(super) fn look(root: &Path) -> Result<Found, Failure> {
    let mut found = Found::default();
    let metadata = fs::metadata(root).map_err(|error| (root.to_owned(), error))?;
    if metadata.is_dir() {
        let entries = list(root).map_err(|error| (root.to_owned(), error))?;
        walk(entries, &metadata, &mut HashSet::new(), &mut found);
    } else {
        found.files.insert(root.to_owned(), stamp(&metadata));
    }
    Ok(found)
}

/// `seen`: a link may lead to a directory above.
fn walk(entries: Vec<PathBuf>, dir: &Metadata, seen: &mut HashSet<(u64, u64)>, found: &mut Found) {
    if !seen.insert((dir.dev(), dir.ino())) {
        return;
    }
    for path in entries {
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => match list(&path) {
                Ok(entries) => walk(entries, &metadata, seen, found),
                Err(error) => found.unseen.push((path, error)),
            },
            Ok(metadata) if metadata.is_file() && is_manifest(&path) => {
                found.files.insert(path, stamp(&metadata));
            }
            Ok(_) => {}
            // It went away since.
            Err(_)
                if fs::symlink_metadata(&path)
                    .is_err_and(|error| error.kind() == io::ErrorKind::NotFound) => {}
            Err(error) => found.unseen.push((path, error)),
        }
    }
}

/// What is not hidden in a directory, in order.
fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
    let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
    entries.retain(|path| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b".")));
    entries.sort();
    Ok(entries)
}

/// Of a link: its target is not there, or it is itself.
pub(super) fn leads_nowhere(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || Errno::from_io_error(error) == Some(Errno::LOOP)
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension == *known))
}

fn stamp(metadata: &Metadata) -> Stamp {
    Stamp {
        file: (metadata.dev(), metadata.ino()),
        size: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    }
}
