//! A directory of YAML.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::mesh::{Mesh, node_name, service_of};

pub(super) struct Files {
    controller: PathBuf,
    objects: PathBuf,
    state: PathBuf,
    dir: PathBuf,
}

impl Files {
    pub(super) fn make(mesh: Mesh, controller: &Path, dir: &Path) -> Result<Self> {
        let files = Self {
            controller: controller.to_owned(),
            objects: dir.join("objects"),
            state: dir.join("state"),
            dir: dir.to_owned(),
        };
        std::fs::create_dir_all(&files.objects).context("cannot make the directory of objects")?;
        write(&files.objects.join("common.yaml"), mesh.common())?;
        for service in 0..mesh.services() {
            let path = files.path(service);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).context("cannot make a folder of objects")?;
            }
            write(&path, mesh.service(service, |_| false))?;
        }
        Ok(files)
    }

    pub(super) fn flags(&self) -> Vec<String> {
        let source = format!("dir:{}", self.objects.display());
        ["--source", &source, "--state-dir", &self.state.to_string_lossy()].map(str::to_owned).to_vec()
    }

    pub(super) fn roots(&self) -> PathBuf {
        self.state.join("ca/root-cert.pem")
    }

    pub(super) fn token(&self, agent: usize, node: usize) -> Result<PathBuf> {
        let path = self.dir.join(format!("token-{agent}"));
        let made = Command::new(&self.controller)
            .arg("token")
            .arg("--state-dir")
            .arg(&self.state)
            .args(["--node", &node_name(node)])
            .output()
            .context("cannot start weir-controller")?;
        if !made.status.success() {
            bail!("weir-controller token: {}", String::from_utf8_lossy(&made.stderr));
        }
        std::fs::write(&path, &made.stdout).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// The file of the pod's service, replaced by a rename.
    pub(super) fn write(&self, mesh: Mesh, pod: usize, down: &HashSet<usize>) -> Result<()> {
        let (service, new) = (service_of(pod), self.dir.join("new.yaml"));
        write(&new, mesh.service(service, |pod| down.contains(&pod)))?;
        std::fs::rename(&new, self.path(service)).context("cannot replace a file of objects")
    }

    /// A folder for each namespace's worth of services.
    fn path(&self, service: usize) -> PathBuf {
        self.objects.join(format!("{}/app-{service}.yaml", service / 25))
    }
}

/// JSON is YAML.
fn write(path: &Path, objects: impl IntoIterator<Item = Value>) -> Result<()> {
    let documents: Vec<String> = objects.into_iter().map(|object| object.to_string()).collect();
    let text = documents.join("\n---\n");
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
