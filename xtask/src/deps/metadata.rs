//! The workspace as cargo sees it.

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

use crate::shell;

/// A crate of the workspace.
pub(super) struct Package {
    pub(super) name: String,
    /// Names of everything its manifest asks for: normal, build and dev.
    pub(super) dependencies: Vec<String>,
}

/// All crates of the workspace, by name.
pub(super) fn workspace() -> Result<Vec<Package>> {
    let metadata =
        MetadataCommand::new().current_dir(shell::root()).no_deps().exec().context("cargo metadata")?;
    let mut packages: Vec<Package> = metadata.packages.into_iter().map(Package::from).collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

impl From<cargo_metadata::Package> for Package {
    fn from(package: cargo_metadata::Package) -> Self {
        let mut dependencies: Vec<String> =
            package.dependencies.into_iter().map(|dependency| dependency.name).collect();
        dependencies.sort();
        dependencies.dedup();
        Self { name: package.name.to_string(), dependencies }
    }
}
