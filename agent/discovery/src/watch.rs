//! Following a mesh file while it changes under us.
//!
//! The order is: set the watches, read the file, wait. What changes after the watches are set wakes us again,
//! so nothing is missed whatever happens in between. Each round starts with new watches: after a rename or a
//! swapped symbolic link the old ones look at what nobody reads any more.

use std::convert::Infallible;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Sender;
use tracing::{error, info, warn};

use crate::apply::apply;
use crate::file::{File, FileError, parse};
use crate::update::local;
use crate::{Store, Update};

mod inotify;
mod trail;

use inotify::Watches;

/// Keeps `store` at what the file says and tells `updates` about it, until it is dropped.
///
/// The file may be replaced by a rename, rewritten in place, reached through symbolic links that are swapped,
/// and be missing for a while. A file that is missing or refused changes nothing: an error is logged once per
/// version of it, with line, column and field.
///
/// # Errors
/// The kernel refuses the means to wait (file descriptors or inotify instances are used up) for good.
pub async fn watch_file(
    path: PathBuf,
    node: String,
    store: Store,
    updates: Sender<Update>,
) -> Result<Infallible, io::Error> {
    let path = std::path::absolute(path)?;
    let mut follower = Follower { path, node, store, updates, seen: None };
    loop {
        let watches = watches(&follower.path);
        let content = settled(&follower.path).await;
        follower.take(content).await;
        match watches {
            // A file system that does not tell (a network mount) is asked now and then.
            Ok(watches) => drop(tokio::time::timeout(ASK, watches.changed()).await),
            Err(error) => {
                warn!(path = %follower.path.display(), %error, "cannot watch the mesh file, asking for it instead");
                tokio::time::sleep(ASK_OFTEN).await;
            }
        }
    }
}

/// Watches on all that decides what the path means; it may change while they are being set.
fn watches(path: &Path) -> io::Result<Watches> {
    let mut trail = trail::follow(path);
    loop {
        let watches = Watches::new(&trail)?;
        let now = trail::follow(path);
        if now == trail {
            return Ok(watches);
        }
        trail = now;
    }
}

/// What is followed, and the version that was last looked at.
struct Follower {
    path: PathBuf,
    node: String,
    store: Store,
    updates: Sender<Update>,
    /// A hash of the content, or why there was none.
    seen: Option<Result<u64, io::ErrorKind>>,
}

impl Follower {
    async fn take(&mut self, content: io::Result<Vec<u8>>) {
        let version = content.as_ref().map(hash).map_err(io::Error::kind);
        if self.seen.as_ref() == Some(&version) {
            return;
        }
        self.seen = Some(version);
        match understood(self.path.clone(), content).await {
            Ok(file) => self.put_in_force(&file),
            Err(error) => {
                self.store.metrics().refuse();
                error!(path = %self.path.display(), "{error}; what was in force stays in force");
            }
        }
    }

    fn put_in_force(&self, file: &File) {
        let mut directory = (*self.store.load()).clone();
        let changes = apply(&mut directory, file);
        let directory = Arc::new(directory);
        let local = local(file, &self.node, &directory);
        self.store.metrics().accept(&changes);
        self.store.publish(directory.clone());
        info!(path = %self.path.display(), ?changes, local = local.len(), "mesh file in force");
        // Without a receiver the store is still kept.
        self.updates.send_replace(Update { directory, local, ..Update::default() });
    }
}

/// A large file takes a while: not on the thread that also renews certificates.
async fn understood(path: PathBuf, content: io::Result<Vec<u8>>) -> Result<File, FileError> {
    let name = path.clone();
    let parse = move || {
        let text = content.and_then(|bytes| String::from_utf8(bytes).map_err(|_| not_text()));
        let text = text.map_err(|source| FileError::Read { path: path.clone(), source })?;
        parse(&path, &text)
    };
    let done = tokio::task::spawn_blocking(parse).await;
    done.unwrap_or_else(|gone| Err(FileError::Read { path: name, source: io::Error::other(gone) }))
}

/// Versions are told apart without keeping a copy of the file in memory.
fn hash(content: &Vec<u8>) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

fn not_text() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8")
}

/// The content once it no longer changes: somebody who writes in place is given the time to finish, because
/// half a list of workloads is a good file that says the other half is gone.
async fn settled(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = std::fs::read(path);
    for _ in 0..TRIES {
        tokio::time::sleep(SETTLE).await;
        let again = std::fs::read(path);
        let same = matches!((&content, &again), (Ok(a), Ok(b)) if a == b)
            || matches!((&content, &again), (Err(a), Err(b)) if a.kind() == b.kind());
        content = again;
        if same {
            break;
        }
    }
    content
}

/// How long a content must stand.
const SETTLE: Duration = Duration::from_millis(25);
/// A file that never stands still is taken as it is after a second.
const TRIES: usize = 40;
/// How often to look without being told, while watches are set.
const ASK: Duration = Duration::from_secs(30);
/// How often to look when watches cannot be set.
const ASK_OFTEN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
