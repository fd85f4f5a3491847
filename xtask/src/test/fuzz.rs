//! The fuzz targets: each for some seconds, starting from the kept inputs.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Runs every target of tests/fuzz. `extra` goes to libFuzzer (`-max_total_time=600` for a night).
pub(super) fn run(extra: &[String]) -> Result<()> {
    ensure_tools()?;
    for target in targets()? {
        eprintln!("test: fuzzing {target}");
        shell::run(&mut fuzz(&target, extra)?)?;
    }
    Ok(())
}

/// New inputs go below target/; one that is worth keeping is copied into tests/fuzz/corpus by hand.
fn fuzz(target: &str, extra: &[String]) -> Result<Command> {
    let found = format!("target/fuzz/corpus/{target}");
    fs::create_dir_all(shell::root().join(&found)).with_context(|| format!("cannot make {found}"))?;
    let kept = format!("tests/fuzz/corpus/{target}");
    // Only the rustup proxy understands +nightly, and CARGO names the pinned cargo.
    let mut command = Command::new("cargo");
    command.current_dir(shell::root()).env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
    command.args(["+nightly", "fuzz", "run", "--fuzz-dir", "tests/fuzz", "--target-dir", "target/fuzz"]);
    command.args([target, &found, &kept, "--", SECONDS]).args(extra);
    Ok(command)
}

fn ensure_tools() -> Result<()> {
    let toolchains = shell::output(Command::new("rustup").args(["toolchain", "list"]))?;
    if !toolchains.lines().any(|line| line.starts_with("nightly")) {
        bail!("fuzzing needs a nightly compiler for its sanitizers: `rustup toolchain install nightly`");
    }
    if shell::find_program("cargo-fuzz").is_some() {
        return Ok(());
    }
    let mut install = shell::cargo(&["install", "cargo-fuzz", "--locked"]);
    shell::step("setup: cargo install cargo-fuzz (about a minute)", &mut install)
}

/// A file is a target.
fn targets() -> Result<Vec<String>> {
    let folder = shell::root().join("tests/fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().strip_suffix(".rs")?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

const SECONDS: &str = "-max_total_time=10";
