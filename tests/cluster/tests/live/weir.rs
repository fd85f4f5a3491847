//! The command `weir`, as its users run it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cluster::{Cluster, Which};

/// The mesh's own namespace.
pub(crate) const SYSTEM: &str = "weir-system";

impl Cluster {
    /// `weir ARGUMENTS`, which must succeed; what it printed.
    pub(crate) fn weir(&self, arguments: &[&str]) -> Result<String> {
        let program = self.program()?;
        let mut command = Command::new(&program);
        command.arg("--kubeconfig").arg(&self.settings().kubeconfig).args(arguments);
        println!("$ weir {}", arguments.join(" "));
        let output = command.output().with_context(|| format!("{} does not start", program.display()))?;
        let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        if !output.status.success() {
            bail!("`weir {}` failed ({}):\n{out}{err}", arguments.join(" "), output.status);
        }
        Ok(out.into_owned())
    }

    /// Whether somebody's mesh is there.
    pub(crate) fn has_mesh(&self) -> Result<bool> {
        Ok(self.get(&Which::one("v1", "Namespace", "", SYSTEM))?.is_some())
    }

    /// What a report of errors needs, in a folder of its own.
    pub(crate) fn collect(&self, story: &str) {
        let folder = std::env::temp_dir().join(format!("weir-live-{}-{story}", std::process::id()));
        let folder = folder.to_string_lossy().replace(' ', "-");
        match self.weir(&["--quiet", "bug-report", "--dir", &folder]) {
            Ok(_) => println!("live: what the mesh knew then is in {folder}"),
            Err(error) => println!("live: no report of the mesh: {error:#}"),
        }
    }

    fn program(&self) -> Result<PathBuf> {
        self.settings().weir.clone().map_or_else(|| weir_harness::binary("weir"), Ok)
    }
}
