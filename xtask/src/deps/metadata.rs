//! The workspace as cargo sees it.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::shell;

/// A crate of the workspace.
pub(super) struct Package {
    pub(super) name: String,
    /// Names of everything its manifest asks for: normal, build and dev.
    pub(super) dependencies: Vec<String>,
}

/// All crates of the workspace, by name.
pub(super) fn workspace() -> Result<Vec<Package>> {
    let json = shell::output(&mut shell::cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Metadata =
        serde_json::from_str(&json).context("cargo metadata printed something unexpected")?;
    let mut packages: Vec<Package> = metadata.packages.into_iter().map(Package::from).collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

impl From<MetadataPackage> for Package {
    fn from(package: MetadataPackage) -> Self {
        let mut dependencies: Vec<String> =
            package.dependencies.into_iter().map(|dependency| dependency.name).collect();
        dependencies.sort();
        dependencies.dedup();
        Self { name: package.name, dependencies }
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}
