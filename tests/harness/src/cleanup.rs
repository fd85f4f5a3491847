//! Leaving nothing behind: on drop, on a signal, and for runs that were killed outright.
//!
//! All that a cluster makes carries the cluster's id in its name, so it can be torn down from the
//! id alone, by any process: namespaces `<id>-*`, cgroup `<id>`, `/sys/fs/bpf/<id>`,
//! `/tmp/weir-harness/<id>`.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};

use crate::{cgroup, tool};

/// Where runs keep their files: logs, captures, configurations, the mesh file, the CA.
const RUNS: &str = "/tmp/weir-harness";
/// bpffs as systemd and Kubernetes mount it.
const BPFFS: &str = "/sys/fs/bpf";

/// One cluster's traces on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunInfo {
    /// Unique id; the prefix of everything that the cluster makes.
    pub id: String,
    /// Process that made it.
    pub pid: u32,
}

impl RunInfo {
    /// Files of the run.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        Path::new(RUNS).join(&self.id)
    }

    /// bpffs directory of the run.
    #[must_use]
    pub fn bpffs(&self) -> PathBuf {
        Path::new(BPFFS).join(&self.id)
    }

    /// Takes the id, after the leftovers of dead runs are gone.
    pub(crate) fn claim(id: String) -> Result<Self> {
        handle_signals()?;
        let run = Self { id, pid: std::process::id() };
        {
            let _lock = SetupLock::take()?;
            sweep_locked()?;
            mount_bpffs()?;
            fs::create_dir_all(run.dir())?;
            fs::write(run.dir().join("owner"), owner_mark(run.pid))?;
        }
        lock(&LIVE).push(run.id.clone());
        Ok(run)
    }

    /// Makes the run outlive its process; only [`tear_down`] ends it.
    pub(crate) fn keep(&self) -> Result<()> {
        fs::write(self.dir().join("kept"), "")?;
        self.forget();
        Ok(())
    }

    /// Tears the run down.
    pub(crate) fn end(&self) -> Result<()> {
        self.forget();
        tear_down(&self.id)
    }

    fn forget(&self) {
        lock(&LIVE).retain(|id| *id != self.id);
    }
}

/// Removes everything that the cluster `id` made. Works from any process; nothing left is fine.
pub fn tear_down(id: &str) -> Result<()> {
    let mut faults = Vec::new();
    let mut note = |result: Result<()>| faults.extend(result.err().map(|error| format!("{error:#}")));
    let cgroup = cgroup::mount_point()?.join(id);
    note(cgroup::kill_below(&cgroup));
    note(cgroup::remove_below(&cgroup));
    for name in namespaces_of(id) {
        note(tool::run("ip", &["netns", "del", &name]).map(drop));
    }
    for dir in [Path::new(BPFFS).join(id), Path::new(RUNS).join(id)] {
        if dir.exists() {
            note(fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display())));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    bail!("run {id} was not torn down completely: {}", faults.join("; "))
}

/// Tears down every run whose process is dead and that was not kept on purpose.
pub fn sweep_dead() -> Result<()> {
    let _lock = SetupLock::take()?;
    sweep_locked()
}

/// Ids of the runs that were kept on purpose.
pub fn kept_runs() -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(RUNS) else { return Ok(Vec::new()) };
    let kept = entries.flatten().filter(|entry| entry.path().join("kept").exists());
    Ok(kept.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// Serialises the few steps that touch state shared by the whole machine.
pub(crate) struct SetupLock(#[expect(dead_code, reason = "held for its lock")] File);

impl SetupLock {
    pub(crate) fn take() -> Result<Self> {
        fs::create_dir_all(RUNS)?;
        let file = File::create(Path::new(RUNS).join("lock"))?;
        flock(&file, FlockOperation::LockExclusive).context("cannot lock the harness's set-up")?;
        Ok(Self(file))
    }
}

/// A poisoned lock is no reason to leave things behind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sweep_locked() -> Result<()> {
    for entry in fs::read_dir(RUNS)?.flatten() {
        let (dir, id) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let Ok(mark) = fs::read_to_string(dir.join("owner")) else { continue };
        let pid = mark.split(' ').next().and_then(|pid| pid.parse().ok()).unwrap_or(0);
        if dir.join("kept").exists() || owner_mark(pid) == mark {
            continue;
        }
        if let Err(error) = tear_down(&id) {
            eprintln!("weir-harness: leftover of a dead run: {error:#}");
        }
    }
    Ok(())
}

/// `pid starttime`: process ids are reused, the pair is not.
fn owner_mark(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the program's name in parentheses and may hold anything.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    format!("{pid} {}", after.split_whitespace().nth(19).unwrap_or("dead"))
}

fn namespaces_of(id: &str) -> Vec<String> {
    let prefix = format!("{id}-");
    let Ok(entries) = fs::read_dir("/run/netns") else { return Vec::new() };
    entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(&prefix))
        .collect()
}

fn mount_bpffs() -> Result<()> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    if mounts.lines().any(|line| line.split(' ').nth(1) == Some(BPFFS)) {
        return Ok(());
    }
    tool::run("mount", &["-t", "bpf", "bpf", BPFFS]).map(drop)
}

/// Runs of this process that a signal must end.
static LIVE: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Write end of the pipe by which the signal handler wakes the thread that cleans up.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// SIGINT, SIGTERM and SIGHUP end the runs of this process, then the process.
fn handle_signals() -> Result<()> {
    static ONCE: Once = Once::new();
    let mut outcome = Ok(());
    ONCE.call_once(|| outcome = install_handler());
    outcome
}

fn install_handler() -> Result<()> {
    let (mut reader, writer) = std::io::pipe()?;
    WAKE.store(writer.as_raw_fd(), Ordering::Release);
    std::thread::Builder::new().name("cleanup".into()).spawn(move || {
        let _writer = writer;
        let mut signal = [0u8; 1];
        if reader.read_exact(&mut signal).is_ok() {
            let ids = std::mem::take(&mut *lock(&LIVE));
            for id in ids {
                if let Err(error) = tear_down(&id) {
                    eprintln!("weir-harness: {error:#}");
                }
            }
            std::process::exit(128 + i32::from(signal[0]));
        }
    })?;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: `on_signal` has the handler's signature and does only async-signal-safe work.
        let previous = unsafe { libc::signal(signal, on_signal as *const () as libc::sighandler_t) };
        if previous == libc::SIG_ERR {
            bail!("cannot handle signal {signal}: {}", std::io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn on_signal(signal: libc::c_int) {
    let byte = u8::try_from(signal).unwrap_or(0);
    let fd = WAKE.load(Ordering::Acquire);
    // SAFETY: write(2) is async-signal-safe; the pipe is never closed, the buffer is one live byte.
    unsafe { libc::write(fd, std::ptr::from_ref(&byte).cast(), 1) };
}
