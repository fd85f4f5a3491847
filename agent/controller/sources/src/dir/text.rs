//! What files say, as text.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::scan::Changes;

/// What a file says, or why that is not known. `None` if the file is gone.
pub(super) type Content = Option<Result<String, String>>;

/// Reads what changed.
pub(super) fn read(changes: Changes) -> Vec<(PathBuf, Content)> {
    let read = |(path, is_there): (PathBuf, bool)| {
        let content = is_there.then(|| text(&path));
        (path, content)
    };
    changes.into_iter().map(read).collect()
}

fn text(path: &Path) -> Result<String, String> {
    let text = |error: io::Error| error.to_string();
    // What was a file a moment ago may be a pipe by now, and nobody at its other end.
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(nonblock).open(path).map_err(text)?;
    let metadata = file.metadata().map_err(text)?;
    let size = metadata.len();
    if !metadata.is_file() {
        return Err("it is not a regular file".into());
    }
    if size > MAX_BYTES {
        return Err(format!("it has {size} bytes, the limit is {MAX_BYTES}"));
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(text)?;
    // Who truncates and then writes, slowly, shows us this. It is not how one says that all objects are gone.
    if bytes.is_empty() {
        return Err("it is empty; to delete its objects, delete the file or leave a comment in it".into());
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("it is not UTF-8 from byte {}", error.utf8_error().valid_up_to()))
}

/// A mesh of 10,000 pods is about 10 MB.
const MAX_BYTES: u64 = 256 << 20;
