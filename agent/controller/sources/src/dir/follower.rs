//! One round after the other: what changed, what it says, what comes of it.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::{error, info, warn};
use weir_resources::Event;

use super::DirError;
use super::memory::{Memory, Remembered};
use super::report::Report;
use super::scan::Looks;
use super::text::{self, Content};
use super::tree::{Tree, Update};
use super::writers::Writers;

/// What is known of a directory.
pub(super) struct Follower {
    looks: Looks,
    /// `None` while it is away being updated.
    tree: Option<Tree>,
    /// Why the directory could not be read when it was last looked at.
    failed: Option<String>,
    /// Of what below it that was said.
    unseen: BTreeSet<String>,
    memory: Option<Memory>,
    /// What earlier lives of this process knew, until the first look.
    remembered: Remembered,
}

impl Follower {
    pub(super) async fn new(
        root: PathBuf,
        memory: Option<Memory>,
        domain: Arc<str>,
        writers: Writers,
    ) -> Self {
        let (known, below) = (memory.clone(), root.clone());
        let recall = move || known.map(|known| known.recall(&below)).unwrap_or_default();
        let remembered = tokio::task::spawn_blocking(recall).await.unwrap_or_default();
        Self {
            looks: Looks::new(root, remembered.keys().cloned().collect(), writers),
            tree: Some(Tree::new(domain)),
            failed: None,
            unseen: BTreeSet::new(),
            memory,
            remembered,
        }
    }

    /// Looks until it is quiet, and gives the batches that come of it.
    pub(super) async fn round(&mut self) -> Result<Vec<Vec<Event>>, DirError> {
        let is_first = self.tree.as_ref().is_none_or(Tree::is_new);
        let changed = match self.looks.settled().await {
            Ok(changed) => changed,
            Err((path, source)) if is_first => return Err(DirError::Read { path, source }),
            Err((path, source)) => {
                self.fail(format!("{}: {source}", path.display()));
                return Ok(Vec::new());
            }
        };
        if self.failed.take().is_some() {
            info!(path = %self.looks.root().display(), "the directory can be read again");
        }
        self.tell_unseen();
        if changed.is_empty() && !is_first {
            return Ok(Vec::new());
        }
        let mut tree = self.tree.take().unwrap_or_default();
        let (memory, remembered) = (self.memory.clone(), std::mem::take(&mut self.remembered));
        // Much text takes a while: not on the thread that serves the agents.
        let work = tokio::task::spawn_blocking(move || {
            let read = text::read(changed);
            let gone = recall(&mut tree, remembered, &read);
            let unread = read.iter().filter(|(_, content)| matches!(content, Some(Err(_))));
            let unread: Vec<PathBuf> = unread.map(|(path, _)| path.clone()).collect();
            let mut update = tree.update(read);
            let whole = std::mem::take(&mut update.whole).into_iter();
            remember(memory, whole.chain(gone.into_iter().map(|path| (path, None))));
            (tree, update, unread)
        });
        let Update { batches, reports, .. } = match work.await {
            Ok((tree, update, unread)) => {
                self.tree = Some(tree);
                self.looks.forget(&unread);
                update
            }
            // It panicked, or the process ends: there is no state to go on from.
            Err(gone) => {
                return Err(DirError::Read {
                    path: self.looks.root().to_owned(),
                    source: io::Error::other(gone),
                });
            }
        };
        reports.iter().for_each(Report::log);
        let count: usize = batches.iter().map(Vec::len).sum();
        // A file that stays unreadable is read again and again, and that is no news.
        if count > 0 || !reports.is_empty() {
            info!(path = %self.looks.root().display(), events = count, problems = reports.len(), "directory read");
        }
        Ok(batches)
    }

    /// Each place once, and again when it could be seen in between.
    fn tell_unseen(&mut self) {
        let unseen = self.looks.unseen().iter().map(|(path, error)| format!("{}: {error}", path.display()));
        let unseen: BTreeSet<String> = unseen.collect();
        for place in unseen.difference(&self.unseen) {
            error!("{place}; what was there before stays in force");
        }
        self.unseen = unseen;
    }

    fn fail(&mut self, why: String) {
        if self.failed.as_ref() != Some(&why) {
            error!("cannot read the directory of objects, what it said stays in force: {why}");
            self.failed = Some(why);
        }
    }
}

/// Gives the tree what is remembered of the files that are there; the others went while nobody looked.
fn recall(tree: &mut Tree, mut remembered: Remembered, read: &[(PathBuf, Content)]) -> Vec<PathBuf> {
    for (path, _) in read {
        if let Some(text) = remembered.remove(path) {
            tree.recall(path, text);
        }
    }
    remembered.into_keys().collect()
}

/// Without the copies only a later start is worse off.
fn remember(memory: Option<Memory>, whole: impl Iterator<Item = (PathBuf, Option<String>)>) {
    let Some(memory) = memory else { return };
    for (path, text) in whole {
        if let Err(error) = memory.note(&path, text.as_deref()) {
            let dir = memory.dir().display();
            return warn!(%dir, %error, "cannot keep copies of the objects for the next start");
        }
    }
}
