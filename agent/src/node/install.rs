//! Puts the CNI plugin where the runtime finds it, and keeps it there: other agents write the node's list of plugins, too.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use serde_json::Value;
use weir_cni::conflist::{self, Edit, PLUGIN};

/// Where the plugin goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The program, to be copied.
    pub(crate) plugin: PathBuf,
    /// Directory of the node's plugins.
    pub(crate) bin_dir: PathBuf,
    /// Directory of the node's lists of plugins.
    pub(crate) conf_dir: PathBuf,
    /// The agent's socket, as the node sees it.
    pub(crate) socket: PathBuf,
    /// Pods of these namespaces start without an agent.
    pub(crate) exclude_namespaces: Vec<String>,
}

/// What the metrics say.
#[derive(Debug, Default)]
pub(crate) struct Installed {
    /// It is in the list that the runtime reads.
    pub(crate) is: AtomicBool,
    /// How often it had to be put there.
    pub(crate) writes: AtomicU64,
    /// It is not to be put there any more; held while it is.
    over: Mutex<bool>,
}

impl Installed {
    /// Takes it out, for good.
    pub(crate) fn remove(&self, target: &Target) -> anyhow::Result<Vec<String>> {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        *over = true;
        remove(&target.bin_dir, &target.conf_dir)
    }

    /// Leaves it as it is: another agent looks after it.
    pub(crate) fn hand_over(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    fn ensure(&self, target: &Target) -> anyhow::Result<bool> {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if *over { Ok(false) } else { target.ensure() }
    }
}

/// Keeps the plugin installed from a thread of its own, which ends with the process.
pub(crate) fn keep(target: Target, installed: Arc<Installed>) -> io::Result<()> {
    std::thread::Builder::new()
        .name("cni-install".into())
        .spawn(move || forever(&target, &installed))
        .map(drop)
}

fn forever(target: &Target, installed: &Installed) {
    let (sender, changes) = std::sync::mpsc::channel();
    // That a file was read is no change, and we read them ourselves.
    let is_change =
        |event: &notify::Result<notify::Event>| !event.as_ref().is_ok_and(|event| event.kind.is_access());
    let watcher = notify::recommended_watcher(move |event| {
        if is_change(&event) {
            let _ = sender.send(());
        }
    });
    let mut watcher: Option<RecommendedWatcher> = watcher.ok();
    let (mut pace, mut said) = (Pace::default(), String::new());
    let mut watched = false;
    loop {
        if !watched && let Some(watcher) = &mut watcher {
            watched = watcher.watch(&target.conf_dir, RecursiveMode::NonRecursive).is_ok();
        }
        match installed.ensure(target) {
            Ok(written) => {
                installed.is.store(true, Ordering::Relaxed);
                installed.writes.fetch_add(u64::from(written), Ordering::Relaxed);
                if written {
                    pace.wrote(Instant::now());
                    tracing::info!(dir = %target.conf_dir.display(), "the CNI plugin is in the node's list of plugins");
                }
                said.clear();
            }
            Err(error) => {
                installed.is.store(false, Ordering::Relaxed);
                let problem = format!("{error:#}");
                if said != problem {
                    tracing::warn!(
                        "the CNI plugin is not installed: {problem}; pods are found after their start meanwhile"
                    );
                    said = problem;
                }
            }
        }
        let wait = pace.wait(Instant::now());
        if let Some(pause) = wait {
            tracing::warn!(
                ?pause,
                "somebody writes the node's list of CNI plugins again and again; waiting before the next time"
            );
            installed.is.store(false, Ordering::Relaxed);
            std::thread::sleep(pause);
        }
        // An error: no watcher, so look now and then.
        let _ = changes.recv_timeout(LOOK_AGAIN);
        std::thread::sleep(SETTLE);
        while changes.try_recv().is_ok() {}
    }
}

impl Target {
    /// Installs what is not installed. Whether the list had to be written.
    pub(crate) fn ensure(&self) -> anyhow::Result<bool> {
        self.place_program()?;
        let socket = self.socket.to_string_lossy();
        let entry = conflist::entry(&socket, &self.exclude_namespaces);
        let (path, text) = active(&self.conf_dir)?;
        self.edit(&path, &text, &entry)
    }

    fn place_program(&self) -> anyhow::Result<()> {
        let place = self.bin_dir.join(PLUGIN);
        let program = fs::read(&self.plugin)
            .with_context(|| format!("cannot read the plugin {} (--cni-plugin)", self.plugin.display()))?;
        if fs::read(&place).is_ok_and(|there| there == program) {
            return Ok(());
        }
        replace(&place, &program, 0o755)
            .with_context(|| format!("cannot place the plugin {}", place.display()))
    }

    fn edit(&self, path: &Path, text: &str, entry: &Value) -> anyhow::Result<bool> {
        let edit = conflist::install(text, entry).with_context(|| path.display().to_string())?;
        let write = |path: &Path, text: &str| {
            replace(path, text.as_bytes(), 0o644).with_context(|| format!("cannot write {}", path.display()))
        };
        match edit {
            Edit::Nothing => return Ok(false),
            Edit::Write(text) => write(path, &text)?,
            Edit::Wrap(text) => {
                // The list first: in between the runtime reads the one or the other.
                write(&path.with_extension("conflist"), &text)?;
                fs::rename(path, saved(path))
                    .with_context(|| format!("cannot move {} aside", path.display()))?;
            }
        }
        Ok(true)
    }
}

/// Takes the plugin out of every list and away; what was moved aside comes back. What was done, as lines.
///
/// # Errors
/// A file cannot be written; what can be done is done all the same.
pub(crate) fn remove(bin_dir: &Path, conf_dir: &Path) -> anyhow::Result<Vec<String>> {
    let (mut done, mut problems) = (Vec::new(), Vec::new());
    let mut note = |what: String, result: io::Result<()>| match result {
        Ok(()) => done.push(what),
        Err(error) => problems.push(format!("{what}: {error}")),
    };
    for path in files(conf_dir)? {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let Ok(Some(without)) = conflist::uninstall(&text) else { continue };
        let original = path.with_extension(format!("conf.{SAVED}"));
        if original.exists() {
            note(
                format!("{} put back", original.display()),
                fs::rename(&original, path.with_extension("conf")),
            );
            note(format!("{} removed", path.display()), fs::remove_file(&path));
        } else {
            note(format!("taken out of {}", path.display()), replace(&path, without.as_bytes(), 0o644));
        }
    }
    let program = bin_dir.join(PLUGIN);
    if program.exists() {
        note(format!("{} removed", program.display()), fs::remove_file(&program));
    }
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("; "));
    Ok(done)
}

/// The list that a runtime reads: the first by name that is one.
fn active(dir: &Path) -> anyhow::Result<(PathBuf, String)> {
    let mut problem = None;
    for path in files(dir).with_context(|| format!("cannot read {} (--cni-conf-dir)", dir.display()))? {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        match conflist::install(&text, &Value::Null) {
            Ok(_) => return Ok((path, text)),
            Err(error) => {
                problem.get_or_insert(format!("{}: {error}", path.display()));
            }
        }
    }
    let problem = problem.unwrap_or_else(|| "the node's network is not set up yet".to_owned());
    anyhow::bail!("there is no list of CNI plugins in {}: {problem}", dir.display())
}

fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.file_name().and_then(OsStr::to_str).is_some_and(conflist::is_read) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A reader finds the old file or the new one, never a part. What is moved into place is not watched under its own name.
fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let new = path.with_file_name(format!(".{name}.weir-new"));
    let written = || -> io::Result<()> {
        fs::write(&new, content)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
        fs::File::open(&new)?.sync_all()?;
        fs::rename(&new, path)
    };
    written().inspect_err(|_| drop(fs::remove_file(&new)))
}

fn saved(path: &Path) -> PathBuf {
    path.with_extension(format!("{}.{SAVED}", path.extension().and_then(OsStr::to_str).unwrap_or_default()))
}

/// How often we write a list that somebody else writes, too: two who put themselves back at once would never end.
#[derive(Debug, Default)]
struct Pace {
    wrote: Vec<Instant>,
    pauses: u32,
}

impl Pace {
    fn wrote(&mut self, now: Instant) {
        self.wrote.retain(|at| now.duration_since(*at) < WINDOW);
        self.wrote.push(now);
    }

    /// How long to wait before the next look, if it was too often.
    fn wait(&mut self, now: Instant) -> Option<Duration> {
        self.wrote.retain(|at| now.duration_since(*at) < WINDOW);
        if self.wrote.len() <= OFTEN {
            return None;
        }
        self.wrote.clear();
        self.pauses = (self.pauses + 1).min(5);
        Some(FIRST_PAUSE * 2u32.pow(self.pauses - 1))
    }
}

const SAVED: &str = "before-weir";
/// A writer may write in parts.
const SETTLE: Duration = Duration::from_millis(100);
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// More writes than this within the window are a quarrel.
const OFTEN: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
#[path = "install_tests.rs"]
mod tests;
