//! Which files there are, and which of them are not as they were.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::walk::{Failure, Files, Found, Stamp, leads_nowhere, look};
use super::writers::Writers;

/// A file that is new or not as it was (`true`), or gone (`false`).
pub(super) type Changes = Vec<(PathBuf, bool)>;

/// The files as they were when somebody last looked.
pub(super) struct Looks {
    root: PathBuf,
    last: Files,
    /// What was below it in an earlier life of this process.
    known: BTreeSet<PathBuf>,
    unseen: Vec<Failure>,
    writers: Writers,
}

impl Looks {
    pub(super) fn new(root: PathBuf, known: BTreeSet<PathBuf>, writers: Writers) -> Self {
        Self { root, last: Files::new(), known, unseen: Vec::new(), writers }
    }

    /// Where one could not look the last time; what was known of it counts as unchanged.
    pub(super) fn unseen(&self) -> &[Failure] {
        &self.unseen
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
            let same = matches!((&now, &again), (Ok(a), Ok(b)) if a.files == b.files);
            now = again;
            if same {
                break;
            }
        }
        let now = self.with_known(now?)?;
        let gone = self.last.keys().filter(|path| !now.contains_key(*path)).map(|path| (path.clone(), false));
        let other = now.iter().filter(|(path, stamp)| self.last.get(*path) != Some(stamp));
        let changes = gone.chain(other.map(|(path, _)| (path.clone(), true))).collect();
        self.last = now;
        Ok(changes)
    }

    /// Files that are being written count as they were. The first look takes what there is.
    fn without_writers(&self, mut found: Found) -> Found {
        let held = if self.last.is_empty() { Vec::new() } else { self.writers.held(Instant::now()) };
        for path in held {
            // What is gone is gone, whoever still writes to it.
            let Some(stamp) = found.files.get_mut(&path) else { continue };
            match self.last.get(&path) {
                Some(before) => *stamp = before.clone(),
                None => drop(found.files.remove(&path)),
            }
        }
        found
    }

    /// Adds what is out of sight to what was found. A directory without a file looks like a mount that is not there: that
    /// is not how one says that a whole mesh is gone.
    fn with_known(&mut self, found: Found) -> Result<Files, Failure> {
        let Found { mut files, unseen } = found;
        for (path, _) in &unseen {
            let known = self.last.iter().filter(|(known, _)| known.starts_with(path));
            files.extend(known.map(|(known, stamp)| (known.clone(), stamp.clone())));
        }
        if self.last.is_empty() {
            // There is nothing to keep in force. A link that leads nowhere, and never led anywhere, hides nothing.
            let hides = |path: &Path| self.known.iter().any(|known| known.starts_with(path));
            let hidden = unseen.iter().find(|(path, error)| !leads_nowhere(error) || hides(path));
            if let Some((path, error)) = hidden {
                return Err((path.clone(), io::Error::new(error.kind(), error.to_string())));
            }
        }
        if files.is_empty() && !(self.known.is_empty() && self.last.is_empty()) {
            let why = "there is no manifest any more; if that is meant, leave a file with a comment in it";
            return Err((self.root.clone(), io::Error::other(why)));
        }
        self.unseen = unseen;
        Ok(files)
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

    async fn look(&self) -> Result<Found, Failure> {
        let root = self.root.clone();
        let look = tokio::task::spawn_blocking(move || look(&root));
        let found = look.await.unwrap_or_else(|gone| Err((self.root.clone(), io::Error::other(gone))));
        found.map(|found| self.without_writers(found))
    }
}

/// How long all files must stand.
const SETTLE: Duration = Duration::from_millis(25);
/// A directory that never stands still is taken as it is after a second.
const TRIES: usize = 40;
