//! Real programs as processes in a namespace and a cgroup.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::cgroup::Cgroup;
use crate::cleanup::lock;
use crate::{NetNs, wait};

/// Where processes run: a namespace, a cgroup, and the directory for their files.
#[derive(Clone, Debug)]
pub struct Place {
    /// Shown in errors and file names.
    pub name: String,
    /// Network namespace.
    pub netns: NetNs,
    /// Cgroup of the process and of its children.
    pub cgroup: Cgroup,
    /// Directory for logs and configurations.
    pub dir: PathBuf,
}

/// What a program that ran to its end said.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The command, for messages.
    pub command: String,
    /// Its exit status.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Wall time from start to end.
    pub elapsed: Duration,
}

impl Finished {
    /// The output of a program that succeeded; an error with its stderr otherwise.
    pub fn success(self) -> Result<String> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        bail!("{} failed ({}): {}", self.command, self.status, self.stderr.trim())
    }
}

/// A running program. Clones name the same one; the cluster's teardown ends it at the latest.
#[derive(Clone, Debug)]
pub struct Process {
    name: String,
    pid: u32,
    log: PathBuf,
    child: Arc<Mutex<Child>>,
}

impl Place {
    /// Starts a program; stdout and stderr go to its log file.
    pub fn spawn<S: AsRef<OsStr>>(&self, program: &str, args: &[S]) -> Result<Process> {
        let mut command = Command::new(program);
        command.args(args);
        self.start(command, program, false)
    }

    /// Starts a program whose stdin and stdout the caller talks to; stderr goes to the log file.
    pub fn converse<S: AsRef<OsStr>>(
        &self,
        program: &str,
        args: &[S],
    ) -> Result<(Process, ChildStdin, BufReader<ChildStdout>)> {
        let mut command = Command::new(program);
        command.args(args);
        let process = self.start(command, program, true)?;
        let mut child = lock(&process.child);
        let pipes = child.stdin.take().zip(child.stdout.take());
        drop(child);
        let (stdin, stdout) = pipes.context("pipes were asked for")?;
        Ok((process, stdin, BufReader::new(stdout)))
    }

    /// Runs a program to its end, at most `limit` long.
    pub fn output<S: AsRef<OsStr>>(&self, program: &str, args: &[S], limit: Duration) -> Result<Finished> {
        self.output_fed(program, args, "", limit)
    }

    /// As [`Place::output`], with `input` on its stdin.
    pub fn output_fed<S: AsRef<OsStr>>(
        &self,
        program: &str,
        args: &[S],
        input: &str,
        limit: Duration,
    ) -> Result<Finished> {
        let mut command = Command::new(program);
        command.args(args);
        let text = format!("{command:?}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.enter(&mut command)?;
        let start = Instant::now();
        let mut child = command.spawn().with_context(|| format!("{text} did not start in {}", self.name))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends early says why by its status and stderr.
            let _ = stdin.write_all(input.as_bytes());
        }
        let pid = child.id();
        let (done, ended) = std::sync::mpsc::channel::<()>();
        let guard = std::thread::spawn(move || {
            let late =
                ended.recv_timeout(limit).is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout);
            if late {
                let _ = signal(pid, Signal::KILL);
            }
            late
        });
        let output = child.wait_with_output();
        let elapsed = start.elapsed();
        drop(done);
        let late = guard.join().unwrap_or(false);
        let output = output.with_context(|| format!("{text} was lost"))?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if late {
            bail!("{text} in {} ran longer than {limit:?}: {stderr}", self.name);
        }
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Finished { command: text, status: output.status, stdout, stderr, elapsed })
    }

    fn start(&self, mut command: Command, program: &str, pipes: bool) -> Result<Process> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let base = Path::new(program).file_name().and_then(OsStr::to_str).unwrap_or("program");
        let name = format!("{}-{base}-{}", self.name, COUNT.fetch_add(1, Ordering::Relaxed));
        let log = self.dir.join(format!("{name}.log"));
        let file = OpenOptions::new().create(true).append(true).open(&log)?;
        command.stderr(file.try_clone()?);
        if pipes {
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
        } else {
            command.stdin(Stdio::null()).stdout(file);
        }
        self.enter(&mut command)?;
        let child = command.spawn().with_context(|| format!("{program} did not start in {}", self.name))?;
        Ok(Process { name, pid: child.id(), log, child: Arc::new(Mutex::new(child)) })
    }

    /// Makes the child join the cgroup and the namespace between fork and exec.
    fn enter(&self, command: &mut Command) -> Result<()> {
        let path = self.netns.path();
        let netns = File::open(&path).with_context(|| format!("no namespace {}", path.display()))?;
        let procs = self.cgroup.path().join("cgroup.procs");
        let procs = OpenOptions::new()
            .write(true)
            .open(&procs)
            .with_context(|| format!("no cgroup {}", procs.display()))?;
        let join = move || -> std::io::Result<()> {
            // "0" stands for the writing process.
            // SAFETY: write(2) on a descriptor that the closure owns, two live bytes.
            if unsafe { libc::write(procs.as_raw_fd(), c"0\n".as_ptr().cast(), 2) } < 0 {
                return Err(std::io::Error::last_os_error());
            }
            // Ctrl-C is for the harness, which then ends its programs in order.
            // SAFETY: setsid(2) takes no arguments; it cannot fail in a child that leads no group.
            unsafe { libc::setsid() };
            // SAFETY: setns(2) on a descriptor that the closure owns; changes only the child.
            if unsafe { libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET) } < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        };
        // SAFETY: the closure makes three system calls and allocates nothing.
        unsafe { command.pre_exec(join) };
        Ok(())
    }
}

impl Process {
    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// File that holds its output.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Its output so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it still runs.
    #[must_use]
    pub fn alive(&self) -> bool {
        lock(&self.child).try_wait().is_ok_and(|status| status.is_none())
    }

    /// kill -9, and waits for its end.
    pub fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.wait(Duration::from_secs(10)).map(drop)
    }

    /// Sends a signal; a process that has ended is left alone.
    pub fn signal(&self, which: Signal) -> Result<()> {
        if self.alive() {
            signal(self.pid, which).with_context(|| format!("cannot signal {}", self.name))?;
        }
        Ok(())
    }

    /// Waits for its end.
    pub fn wait(&self, limit: Duration) -> Result<ExitStatus> {
        wait::until(&format!("{} to end", self.name), limit, || lock(&self.child).try_wait().ok().flatten())
            .with_context(|| format!("log of {}:\n{}", self.name, tail(&self.log(), 20)))
    }

    /// Waits until a line of its log satisfies `wanted`, and returns the line.
    pub fn wait_log(&self, what: &str, limit: Duration, wanted: impl Fn(&str) -> bool) -> Result<String> {
        wait::until(what, limit, || self.log().lines().find(|line| wanted(line)).map(str::to_owned))
            .with_context(|| format!("log of {}:\n{}", self.name, tail(&self.log(), 20)))
    }

    /// Fails with its log when it has ended.
    pub fn expect_alive(&self) -> Result<()> {
        let status = lock(&self.child).try_wait()?;
        match status {
            None => Ok(()),
            Some(status) => {
                let how = status.signal().map_or_else(|| status.to_string(), |n| format!("signal {n}"));
                bail!("{} has ended ({how}):\n{}", self.name, tail(&self.log(), 20))
            }
        }
    }
}

/// The last `count` lines of a text.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// One line from a program that was started by [`Place::converse`].
pub(crate) fn read_line(from: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        bail!("the program closed its output");
    }
    Ok(line)
}

fn signal(pid: u32, which: Signal) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?).context("process id 0")?;
    Ok(kill_process(pid, which)?)
}
