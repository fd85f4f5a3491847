//! The app of the self-test: a forked child in a cgroup of its own below the pods' cgroup.
//!
//! Between fork and exit a child of a process with threads may only make system calls (no allocation, no locks), so this is written with
//! libc alone.

mod child;

use std::io;
use std::path::{Path, PathBuf};

use crate::scratch::Scratch;
use child::{Plan, STEPS, play};

/// Where the app listens.
pub(super) const APP_PORT: u16 = 8080;
/// Where nobody does.
pub(super) const CLOSED_PORT: u16 = 8081;
/// Where the app connects to on the remote side. Nobody listens there: the agent must get it.
pub(super) const REMOTE_PORT: u16 = 80;

/// The running child.
#[derive(Debug)]
pub(super) struct App {
    pid: libc::pid_t,
    cgroup: PathBuf,
}

impl App {
    /// Starts the child: it joins its cgroup, connects to the remote once per family, and then takes one connection per family, which
    /// must show the remote's address and be bound to lo.
    pub(super) fn start(pods_cgroup: &Path, scratch: &Scratch) -> io::Result<Self> {
        let cgroup = pods_cgroup.join(format!("weir-self-test-{}", std::process::id()));
        make_cgroup(&cgroup)?;
        let plan = Plan::new(&cgroup, scratch);
        // SAFETY: the child makes system calls on prepared values only and leaves by _exit; see `play`.
        let pid = plan.and_then(|plan| match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                let code = play(&plan);
                // SAFETY: ends the child without running anything of the parent's.
                unsafe { libc::_exit(code) }
            }
            pid => Ok(pid),
        });
        match pid {
            Ok(pid) => Ok(Self { pid, cgroup }),
            Err(error) => {
                let _ = std::fs::remove_dir(&cgroup);
                Err(error)
            }
        }
    }

    /// Waits for the child; an error names the step at which it gave up.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let status = self.wait();
        let step = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -1 };
        match STEPS.iter().find(|(code, _)| *code == step) {
            None if step == 0 => Ok(()),
            Some((_, text)) => Err(io::Error::other(*text)),
            None => Err(io::Error::other(format!("the app ended with status {status}"))),
        }
    }

    fn wait(&mut self) -> libc::c_int {
        let mut status = 0;
        if self.pid > 0 {
            // SAFETY: waits for our own child; `status` lives through the call.
            unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
            self.pid = 0;
        }
        status
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if self.pid > 0 {
            // SAFETY: signals our own child, which has not been waited for, so the pid is still its.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
            self.wait();
        }
        // A cgroup is busy until the last of its dead process is gone, which is not yet when wait returns.
        for _ in 0..100 {
            match std::fs::remove_dir(&self.cgroup) {
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                    std::thread::sleep(std::time::Duration::from_millis(1))
                }
                _ => return,
            }
        }
    }
}

/// A leftover of a killed agent with our pid is taken over. Below a threaded cgroup the new one must be threaded too.
fn make_cgroup(cgroup: &Path) -> io::Result<()> {
    match std::fs::create_dir(cgroup) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let kind = cgroup.join("cgroup.type");
    if std::fs::read_to_string(&kind)?.trim() == "domain invalid" {
        std::fs::write(&kind, "threaded")?;
    }
    Ok(())
}
