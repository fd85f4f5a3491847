//! Running other programs, and telling what happens meanwhile.
//!
//! Two ways: [`run`] lets a program speak for itself (cargo, nextest), [`step`] keeps it quiet behind one
//! line of progress and shows its output only if it fails (apt-get, long installs).

use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// This program, for a verb that calls another one, or itself.
pub(crate) fn own() -> Result<PathBuf> {
    std::env::current_exe().context("own executable unknown")
}

/// Where cargo builds: the folder above `debug/xtask`.
pub(crate) fn target() -> Result<PathBuf> {
    Ok(own()?.ancestors().nth(2).context("own executable has no target folder")?.to_path_buf())
}

/// A cargo command at the root, as if called from a clean shell.
///
/// `cargo xtask` runs under `cargo run`, which sets variables that describe xtask itself; left in place
/// they make build scripts of a nested cargo believe that their environment has changed.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root()).env_remove("LD_LIBRARY_PATH").env_remove("OUT_DIR");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_MANIFEST_")
            || text.starts_with("CARGO_BIN_")
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs to the end with our own terminal; a failure is an error that shows the command line.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = display(command);
    eprintln!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// The standard output of a program that is expected to succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = display(command);
    let out = command.stderr(Stdio::piped()).output().with_context(|| format!("cannot start `{line}`"))?;
    if !out.status.success() {
        bail!("`{line}` failed ({}): {}", out.status, String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Runs behind one line of progress; the last lines of its output are in the error if it fails.
pub(crate) fn step(what: &str, command: &mut Command) -> Result<()> {
    let line = display(command);
    let started = Instant::now();
    let progress = Progress::start(what);
    let (mut reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer.try_clone().context("cannot share a pipe")?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("cannot start `{line}`"))?;
    // The command keeps the write ends until it is replaced, and the reader below ends only when all are gone.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut tail: Vec<String> = Vec::new();
    for text in BufReader::new(&mut reader).lines().map_while(Result::ok) {
        progress.note(&text);
        if tail.len() == TAIL {
            tail.remove(0);
        }
        tail.push(text);
    }
    let status = child.wait().with_context(|| format!("lost `{line}`"))?;
    progress.finish();
    if !status.success() {
        bail!("{what}: `{line}` failed ({status}). The end of its output:\n  {}", tail.join("\n  "));
    }
    eprintln!("{what}: done in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Where a program is, looking also where root's programs are kept.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// True for the superuser, as the kernel sees this process.
pub(crate) fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    uids.split_whitespace().nth(1) == Some("0")
}

/// A command as one would type it, for messages.
pub(crate) fn display(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A spinner on a terminal, plain lines elsewhere (a CI log has no cursor to move).
struct Progress(Option<ProgressBar>);

impl Progress {
    fn start(what: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            eprintln!("{what} ...");
            return Self(None);
        }
        let bar = ProgressBar::new_spinner().with_prefix(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} [{elapsed}] {wide_msg:.dim}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(Some(bar))
    }

    fn note(&self, text: &str) {
        if let Some(bar) = &self.0 {
            bar.set_message(text.trim().to_owned());
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// How many last lines of a failed step are shown.
const TAIL: usize = 40;
