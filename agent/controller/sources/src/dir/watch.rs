//! Being told that something in the directory changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::writers::{PATIENCE, Writers};

/// Watches on all that is below a path, and on the path itself. A new one is made for each look: after a rename or a
/// swapped symbolic link the old ones look at what nobody reads any more.
pub(super) struct Watch {
    changed: Arc<Notify>,
    writers: Writers,
    _watcher: RecommendedWatcher,
}

impl Watch {
    pub(super) fn new(root: &Path, writers: &Writers) -> notify::Result<Self> {
        let changed = Arc::new(Notify::new());
        let (wake, path, noted) = (Arc::clone(&changed), PathBuf::from(root), writers.clone());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if let Ok(event) = &event {
                noted.note(event, Instant::now());
            }
            // An error is a reason to look as well: events were lost.
            if event.as_ref().map_or(true, |event| matters(event, &path)) {
                wake.notify_one();
            }
        })?;
        watcher.watch(root, RecursiveMode::Recursive)?;
        // Who replaces the whole directory changes an entry of the one above it.
        // Where that one may not be read, the next look finds out.
        if let Some(parent) = root.parent() {
            drop(watcher.watch(parent, RecursiveMode::NonRecursive));
        }
        Ok(Self { changed, writers: writers.clone(), _watcher: watcher })
    }

    /// Waits for a change. A file system that does not tell (a network mount), or a link that leads out of the
    /// directory, is looked at now and then.
    pub(super) async fn changed(&self) {
        let ask = if self.writers.held(Instant::now()).is_empty() { ASK } else { PATIENCE };
        drop(tokio::time::timeout(ask, self.changed.notified()).await);
    }
}

/// Waits, where nothing can be watched.
pub(super) async fn ask_often() {
    tokio::time::sleep(ASK_OFTEN).await;
}

/// Not that a file is read: we read them ourselves.
fn matters(event: &Event, root: &Path) -> bool {
    let is_change = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    };
    let is_ours = event.paths.is_empty() || event.paths.iter().any(|path| path.starts_with(root));
    event.need_rescan() || (is_change && is_ours)
}

/// How often to look without being told.
const ASK: Duration = Duration::from_secs(30);
/// How often to look when watches cannot be set.
const ASK_OFTEN: Duration = Duration::from_secs(2);
