//! Where the controller reads the mesh from, and how one pod of it changes.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use crate::mesh::Mesh;

mod api;
mod files;

use api::Api;
use files::Files;

/// Which of the controller's sources is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceKind {
    /// A Kubernetes API, in this process
    Kubernetes,
    /// A directory of YAML, a file for each service
    Directory,
}

/// A source that is ready to be read.
pub(crate) struct Source {
    mesh: Mesh,
    way: Way,
    /// Pods that are not ready at the moment.
    down: HashSet<usize>,
}

enum Way {
    Api(Api),
    Files(Files),
}

impl Source {
    /// Makes all objects of the mesh.
    pub(crate) fn make(kind: SourceKind, mesh: Mesh, controller: &Path, dir: &Path) -> Result<Self> {
        let way = match kind {
            SourceKind::Kubernetes => Way::Api(Api::make(mesh, dir)?),
            SourceKind::Directory => Way::Files(Files::make(mesh, controller, dir)?),
        };
        Ok(Self { mesh, way, down: HashSet::new() })
    }

    /// The controller's flags.
    pub(crate) fn flags(&self) -> Vec<String> {
        match &self.way {
            Way::Api(api) => api.flags(),
            Way::Files(files) => files.flags(),
        }
    }

    /// The file with the controller's root, once it is there.
    pub(crate) async fn roots(&self) -> Result<PathBuf> {
        match &self.way {
            Way::Api(api) => api.roots().await,
            Way::Files(files) => Ok(files.roots()),
        }
    }

    /// A file with the token of an agent.
    pub(crate) fn token(&self, agent: usize, node: usize) -> Result<PathBuf> {
        match &self.way {
            Way::Api(api) => api.token(agent, node),
            Way::Files(files) => files.token(agent, node),
        }
    }

    /// Waits until the controller has written what it writes at first.
    pub(crate) async fn settled(&self) {
        if let Way::Api(api) = &self.way {
            let mut writes = api.writes();
            loop {
                tokio::time::sleep(QUIET).await;
                let now = api.writes();
                if now == writes {
                    return;
                }
                writes = now;
            }
        }
    }

    /// A pod is ready no longer, or is again: the most frequent change of all.
    pub(crate) fn toggle(&mut self, pod: usize) -> Result<()> {
        if !self.down.remove(&pod) {
            self.down.insert(pod);
        }
        match &self.way {
            Way::Api(api) => api.put_pod(pod, !self.down.contains(&pod)),
            Way::Files(files) => files.write(self.mesh, pod, &self.down),
        }
    }
}

/// The controller writes nothing for so long: it is done with statuses and the roots in every namespace.
const QUIET: Duration = Duration::from_secs(1);
