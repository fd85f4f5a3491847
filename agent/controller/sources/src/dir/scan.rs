//! Which files there are, and which of them are not as they were.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A path that could not be read, and why.
pub(super) type Failure = (PathBuf, io::Error);

/// A file that is new or not as it was (`true`), or gone (`false`).
pub(super) type Changes = Vec<(PathBuf, bool)>;

/// What a file says, or why that is not known. `None` if the file is gone.
pub(super) type Content = Option<Result<String, String>>;

/// The files as they were when somebody last looked.
pub(super) struct Looks {
    root: PathBuf,
    last: Files,
}

type Files = BTreeMap<PathBuf, Stamp>;

/// Changes with the content. The time of change is not for users to set, and its steps (of some milliseconds) are
/// shorter than the time for which a file must stand still before it is read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Looks {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, last: Files::new() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// What changed since it was last asked, once nothing does any more: somebody who writes in place is given the
    /// time to finish, because half a list of policies is a good file that says the other half is gone.
    pub(super) async fn settled(&mut self) -> Result<Changes, Failure> {
        let mut now = self.look().await;
        for _ in 0..TRIES {
            tokio::time::sleep(SETTLE).await;
            let again = self.look().await;
            let same = matches!((&now, &again), (Ok(a), Ok(b)) if a == b);
            now = again;
            if same {
                break;
            }
        }
        let now = now?;
        let gone = self.last.keys().filter(|path| !now.contains_key(*path)).map(|path| (path.clone(), false));
        let other = now.iter().filter(|(path, stamp)| self.last.get(*path) != Some(stamp));
        let changes = gone.chain(other.map(|(path, _)| (path.clone(), true))).collect();
        self.last = now;
        Ok(changes)
    }

    /// A file that could not be read counts as changed when it is asked next: what was in the way may be gone.
    pub(super) fn forget<'a>(&mut self, unread: impl IntoIterator<Item = &'a PathBuf>) {
        for path in unread {
            if let Some(stamp) = self.last.get_mut(path) {
                // It stays in the list, so that it is noticed when the file goes away.
                *stamp = Stamp::default();
            }
        }
    }

    async fn look(&self) -> Result<Files, Failure> {
        let root = self.root.clone();
        let look = tokio::task::spawn_blocking(move || look(&root));
        look.await.unwrap_or_else(|gone| Err((self.root.clone(), io::Error::other(gone))))
    }
}

/// Reads what changed.
pub(super) fn read(changes: Changes) -> Vec<(PathBuf, Content)> {
    let read = |(path, is_there): (PathBuf, bool)| {
        let content = is_there.then(|| text(&path));
        (path, content)
    };
    changes.into_iter().map(read).collect()
}

fn text(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_BYTES {
        return Err(format!("it has {size} bytes, the limit is {MAX_BYTES}"));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    // Who truncates and then writes, slowly, shows us this. It is not how one says that all objects are gone.
    if bytes.is_empty() {
        return Err("it is empty; to delete its objects, delete the file or leave a comment in it".into());
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("it is not UTF-8 from byte {}", error.utf8_error().valid_up_to()))
}

fn look(root: &Path) -> Result<Files, Failure> {
    let mut files = Files::new();
    let metadata = fs::metadata(root).map_err(|error| (root.to_owned(), error))?;
    if metadata.is_dir() {
        walk(root, &metadata, &mut HashSet::new(), &mut files)?;
    } else {
        files.insert(root.to_owned(), stamp(&metadata));
    }
    Ok(files)
}

/// `seen`: a link may lead to a directory above.
fn walk(
    dir: &Path,
    metadata: &Metadata,
    seen: &mut HashSet<(u64, u64)>,
    files: &mut Files,
) -> Result<(), Failure> {
    if !seen.insert((metadata.dev(), metadata.ino())) {
        return Ok(());
    }
    let failed = |error| (dir.to_owned(), error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    for path in entries {
        if path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => walk(&path, &found, seen, files)?,
            Ok(found) if found.is_file() && is_manifest(&path) => drop(files.insert(path, stamp(&found))),
            // It went away since, or the link leads nowhere.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err((path, error)),
        }
    }
    Ok(())
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

/// How long all files must stand.
const SETTLE: Duration = Duration::from_millis(25);
/// A directory that never stands still is taken as it is after a second.
const TRIES: usize = 40;
/// A mesh of 10,000 pods is about 10 MB.
const MAX_BYTES: u64 = 256 << 20;
