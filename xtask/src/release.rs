//! The optimised binaries that the demo and the bench run.
//!
//! xtask itself is a debug build beside debug binaries, and the harness looks for binaries beside itself
//! unless the environment names them. So this process replaces itself by one with that environment.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// Builds them and starts this verb again with their paths; returns in the process that has them.
///
/// A user who sets `WEIR_AGENT_BIN` brings binaries of their own, and nothing is built.
pub(crate) fn ensure() -> Result<()> {
    if std::env::var_os(variable("weir-agent")).is_some() {
        return Ok(());
    }
    let release = build(&[
        "weir-agent",
        "weir-controller",
        "weir-waypoint",
        "weir-harness",
        "weir-bench",
        "weir-bookinfo",
    ])?;
    let own = shell::own()?;
    let paths = BINARIES.map(|name| (variable(name), release.join(name)));
    let mut again = Command::new(&own);
    again.args(std::env::args_os().skip(1)).envs(paths.into_iter().filter(|(_, path)| path.is_file()));
    Err(again.exec()).with_context(|| format!("cannot start {} again", own.display()))
}

/// Builds these two, which need neither root nor an eBPF toolchain, and says where they are. `WEIR_CONTROLLER_BIN` and
/// `WEIR_CROWD_BIN` name others.
pub(crate) fn controller_and_crowd() -> Result<[PathBuf; 2]> {
    let own =
        ["weir-controller", "weir-crowd"].map(|name| std::env::var_os(variable(name)).map(PathBuf::from));
    if let [Some(controller), Some(crowd)] = own {
        return Ok([controller, crowd]);
    }
    let release = build(&["weir-controller", "weir-bench"])?;
    let [controller, crowd] = own;
    Ok([
        controller.unwrap_or_else(|| release.join("weir-controller")),
        crowd.unwrap_or_else(|| release.join("weir-crowd")),
    ])
}

/// Builds the load generator, and says where it is. `WEIR_LOAD_BIN` names another.
pub(crate) fn load_program() -> Result<PathBuf> {
    match std::env::var_os(variable("weir-load")) {
        Some(own) => Ok(own.into()),
        None => Ok(build(&["weir-bench"])?.join("weir-load")),
    }
}

/// Builds the waypoint's proxy with a configuration in memory, and says where it is. `WEIR_REVERSE_PROXY_BIN` names another.
pub(crate) fn reverse_proxy() -> Result<PathBuf> {
    match std::env::var_os(variable("weir-reverse-proxy")) {
        Some(own) => Ok(own.into()),
        None => Ok(cargo_build(&["-p", "weir-waypoint", "--example", "reverse_proxy"])?
            .join("examples/reverse_proxy")),
    }
}

/// Builds packages with optimisation, and says where their binaries are.
fn build(packages: &[&str]) -> Result<PathBuf> {
    let arguments: Vec<&str> = packages.iter().flat_map(|package| ["-p", package]).collect();
    cargo_build(&arguments)
}

fn cargo_build(arguments: &[&str]) -> Result<PathBuf> {
    eprintln!("xtask: building the optimised binaries (several minutes the first time on two cores)");
    shell::run(shell::cargo(&["build", "--locked", "--release"]).args(arguments))?;
    Ok(shell::target()?.join("release"))
}

/// As `weir_harness::binary` reads it.
fn variable(binary: &str) -> String {
    format!("{}_BIN", binary.to_uppercase().replace('-', "_"))
}

const BINARIES: [&str; 6] =
    ["weir-agent", "weir-controller", "weir-waypoint", "weir-probe", "weir-load", "weir-bookinfo"];
