//! Running the system's tools (`ip`, `nft`, ...) and finding our own binaries.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs a tool in the harness's own namespaces; the error holds the command line and its stderr.
pub(crate) fn run<S: AsRef<OsStr>>(program: &str, args: &[S]) -> Result<String> {
    feed(program, args, "")
}

/// As [`run`], with `input` on the tool's stdin.
pub(crate) fn feed<S: AsRef<OsStr>>(program: &str, args: &[S], input: &str) -> Result<String> {
    let mut command = Command::new(program);
    command.args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{program} did not start; is it installed?"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A tool that ends without reading its input says why on stderr.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().with_context(|| format!("{program} was lost"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} failed ({}): {}\n{input}", output.status, errors.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Finds one of the workspace's own binaries: by environment (`WEIR_AGENT_BIN` for `weir-agent`),
/// else in the target directory of the running test or task.
pub fn binary(name: &str) -> Result<PathBuf> {
    let variable = format!("{}_BIN", name.to_uppercase().replace('-', "_"));
    if let Some(path) = std::env::var_os(&variable) {
        let path = PathBuf::from(path);
        if path.is_file() {
            return Ok(path);
        }
        bail!("{variable} names {}, which is not a file", path.display());
    }
    let own = std::env::current_exe().context("own executable unknown")?;
    own.ancestors().skip(1).take(3).map(|dir| dir.join(name)).find(|path| path.is_file()).with_context(|| {
        format!(
            "{name} not found above {}; build it (`cargo build -p weir-agent -p weir-harness`) \
                 or set {variable}",
            own.display()
        )
    })
}

/// Whether this process may make namespaces, cgroups and eBPF programs.
#[must_use]
pub fn have_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Fails with one clear sentence when the process is not root.
pub fn require_root() -> Result<()> {
    if have_root() {
        return Ok(());
    }
    bail!(
        "this needs root: it makes network namespaces, cgroups and eBPF programs \
         (run it under sudo; `cargo xtask test` says what it needs)"
    )
}
