//! `cargo xtask build-ebpf`: compiles the kernel half and tells what came out.
//!
//! The build itself is `agent/datapath/build.rs`, so that a plain `cargo build` of the agent does the same;
//! this verb brings the toolchain and shows the objects.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::setup::{self, Part};
use crate::shell;

/// Compile the eBPF programs and list the objects
#[derive(Args)]
pub(crate) struct BuildEbpfArgs {}

/// Runs the verb.
pub(crate) fn run(_args: &BuildEbpfArgs) -> Result<()> {
    setup::ensure(&[Part::Ebpf])?;
    shell::run(&mut shell::cargo(&["build", "--package", "weir-datapath"]))?;
    let objects = objects(&shell::root().join(OBJECTS))?;
    if objects.is_empty() {
        bail!("the build made no object in {OBJECTS}");
    }
    for (name, bytes) in objects {
        println!("{OBJECTS}/{name}  {bytes} bytes");
    }
    Ok(())
}

/// Files without an extension are the linked programs; beside them are cargo's own.
fn objects(folder: &Path) -> Result<Vec<(String, u64)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let meta = entry.metadata().with_context(|| format!("cannot read {name}"))?;
        if meta.is_file() && !name.contains('.') {
            found.push((name, meta.len()));
        }
    }
    found.sort();
    Ok(found)
}

const OBJECTS: &str = "target/bpf/bpfel-unknown-none/bpf";
