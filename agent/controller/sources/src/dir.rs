//! Objects from a directory of YAML files, as `kubectl` would take them.
//!
//! ```text
//!   inotify --> scan: which files --> file: what each says --> tree: all files as one --> events
//! ```
//!
//! What an API server would add to an object is added here ([`complete`], [`derive`]), so that the index has one set of
//! rules. The order of a round is: set the watches, look, wait. What changes after the watches are set wakes us again, so
//! nothing is missed whatever happens in between.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;

use tokio::sync::mpsc::Sender;
use tracing::{error, info, warn};
use weir_resources::Event;

mod complete;
mod derive;
mod file;
mod report;
mod scan;
mod tree;
mod watch;

pub use complete::derived_uid;
use report::Report;
use scan::Looks;
use tree::{Tree, Update};
use watch::Watch;

/// A directory of manifests: all `*.yaml`, `*.yml` and `*.json` below a path that are not hidden.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
}

/// Why a directory is no longer followed.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// It could not be read when it was first looked at. Later it may come and go.
    #[error("cannot read the directory of objects {}: {source}", path.display())]
    Read {
        /// The directory, or what below it cannot be read.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Nobody takes the events any more.
    #[error("nobody takes what the directory {} says any more", path.display())]
    Closed {
        /// The directory.
        path: PathBuf,
    },
}

impl Directory {
    /// The directory at a path. A single file is a directory of one.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Sends what the directory says, and then what of it changes. The first batches are complete lists of every kind.
    ///
    /// A file that cannot be read, or a document that is no YAML, changes nothing: what the file said before stays in
    /// force. An error is logged once per version of a file, with line, column and field.
    ///
    /// # Errors
    /// The directory cannot be read at first, or the receiver is gone.
    pub async fn run(self, events: Sender<Vec<Event>>) -> Result<Infallible, DirError> {
        let path = std::path::absolute(&self.path);
        let path = path.map_err(|source| DirError::Read { path: self.path.clone(), source })?;
        let mut follower =
            Follower { looks: Looks::new(path.clone()), tree: Some(Tree::default()), failed: None };
        loop {
            let watch = Watch::new(&path);
            for batch in follower.round().await? {
                let sent = events.send(batch).await;
                sent.map_err(|_| DirError::Closed { path: path.clone() })?;
            }
            match watch {
                Ok(watch) => watch.changed().await,
                Err(error) => {
                    warn!(path = %path.display(), %error, "cannot watch the directory, asking for it instead");
                    watch::ask_often().await;
                }
            }
        }
    }
}

struct Follower {
    looks: Looks,
    /// `None` while it is away being updated.
    tree: Option<Tree>,
    /// Why the directory could not be read when it was last looked at.
    failed: Option<String>,
}

impl Follower {
    async fn round(&mut self) -> Result<Vec<Vec<Event>>, DirError> {
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
        if changed.is_empty() && !is_first {
            return Ok(Vec::new());
        }
        let mut tree = self.tree.take().unwrap_or_default();
        // Much text takes a while: not on the thread that serves the agents.
        let work = tokio::task::spawn_blocking(move || {
            let read = scan::read(changed);
            let unread = read.iter().filter(|(_, content)| matches!(content, Some(Err(_))));
            let unread: Vec<PathBuf> = unread.map(|(path, _)| path.clone()).collect();
            let update = tree.update(read);
            (tree, update, unread)
        });
        let Update { batches, reports } = match work.await {
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

    fn fail(&mut self, why: String) {
        if self.failed.as_ref() != Some(&why) {
            error!("cannot read the directory of objects, what it said stays in force: {why}");
            self.failed = Some(why);
        }
    }
}

#[cfg(test)]
mod tests;
