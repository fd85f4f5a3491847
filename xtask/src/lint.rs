//! `cargo xtask lint`: everything that can be said about the code without running it.

use anyhow::{Result, bail};
use clap::Args;

use crate::codegen;
use crate::deps::{self, DepsArgs};
use crate::setup::{self, Part};
use crate::shell;

/// Check format, clippy, walls between crates, generated code, and (if cargo-deny is there) licenses and bans
#[derive(Args)]
pub(crate) struct LintArgs {
    /// Mend what can be mended: format, and clippy's own suggestions
    #[arg(long)]
    fix: bool,
}

/// Runs the verb. All checks run, so that one call shows all that is to be mended.
pub(crate) fn run(args: &LintArgs) -> Result<()> {
    // Clippy compiles the datapath, whose build script compiles the eBPF programs.
    setup::ensure(&[Part::Ebpf])?;
    let mut failed = Vec::new();
    for (name, check) in checks(args.fix) {
        if let Err(error) = check() {
            eprintln!("lint: {name}: {error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("lint found something in: {}", failed.join(", "));
    }
    eprintln!("lint: clean");
    Ok(())
}

type Check = (&'static str, fn() -> Result<()>);

fn checks(fix: bool) -> Vec<Check> {
    let mut checks: Vec<Check> =
        if fix { vec![("clippy", clippy_fix), ("format", fmt_fix)] } else { vec![("format", fmt)] };
    checks.extend([
        ("walls", walls as fn() -> Result<()>),
        ("generated code", generated),
        ("clippy", clippy),
        ("deny", deny),
    ]);
    checks
}

fn fmt() -> Result<()> {
    shell::run(&mut shell::cargo(&["fmt", "--all", "--check"]))
}

fn fmt_fix() -> Result<()> {
    shell::run(&mut shell::cargo(&["fmt", "--all"]))
}

fn clippy() -> Result<()> {
    shell::run(&mut shell::cargo(&[
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

fn clippy_fix() -> Result<()> {
    shell::run(&mut shell::cargo(&[
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--fix",
        "--allow-dirty",
        "--allow-staged",
    ]))
}

fn walls() -> Result<()> {
    deps::run(&DepsArgs::default())
}

fn generated() -> Result<()> {
    codegen::run(true)
}

/// Not installed by us: it takes three minutes to build, and the walls that matter most are checked without it.
fn deny() -> Result<()> {
    if shell::find_program("cargo-deny").is_none() {
        eprintln!(
            "lint: cargo-deny is not installed: licenses and bans are not checked (`cargo install cargo-deny --locked`)"
        );
        return Ok(());
    }
    shell::run(&mut shell::cargo(&[
        "deny",
        "--workspace",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]))
}
