//! Whether a file is another one than before.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Enough to see that a file is another one: a rewrite changes the time or length, a rename the inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

/// The file as it is now; `None` if there is no such file.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok()?;
    Some(Stamp { inode: meta.ino(), length: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()) })
}
