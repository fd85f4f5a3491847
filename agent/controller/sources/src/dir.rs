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
use std::sync::Arc;

use tokio::sync::mpsc::Sender;
use tracing::warn;
use weir_resources::Event;

mod claims;
mod complete;
mod derive;
mod file;
mod follower;
mod memory;
mod report;
mod scan;
mod text;
mod told;
mod tree;
mod walk;
mod watch;
mod writers;

pub use complete::derived_uid;
use follower::Follower;
use memory::Memory;
use watch::Watch;
use writers::Writers;

/// A directory of manifests: all `*.yaml`, `*.yml` and `*.json` below a path that are not hidden.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    memory: Option<Memory>,
    domain: Arc<str>,
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
        Self { path, memory: None, domain: "cluster.local".into() }
    }

    /// Keeps copies of what the files say in `dir`, for a start at which one of them cannot be read.
    #[must_use]
    pub fn remember_in(self, dir: PathBuf) -> Self {
        Self { memory: Some(Memory::new(dir)), ..self }
    }

    /// The domain of the names of services, if it is not `cluster.local`.
    #[must_use]
    pub fn cluster_domain(self, domain: Arc<str>) -> Self {
        Self { domain, ..self }
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
        let writers = Writers::default();
        let mut follower = Follower::new(path.clone(), self.memory, self.domain, writers.clone()).await;
        let mut watch = Watch::new(&path, &writers);
        loop {
            for batch in follower.round().await? {
                let sent = events.send(batch).await;
                sent.map_err(|_| DirError::Closed { path: path.clone() })?;
            }
            match &watch {
                Ok(watch) => watch.changed().await,
                Err(error) => {
                    warn!(path = %path.display(), %error, "cannot watch the directory, asking for it instead");
                    watch::ask_often().await;
                }
            }
            // The old one goes when the new one is there: who closes a file in between is heard.
            watch = Watch::new(&path, &writers);
        }
    }
}

#[cfg(test)]
mod tests;
