//! Which process is the kubelet, so that its probes pass and nobody else's connections do.
//!
//! A name proves nothing: any container may call itself `kubelet`. It is root's process, runs a program of that name, shares
//! the node's network and PID namespaces, and is in no pod. It may be restarted at any time, which its pidfd tells at once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use weir_datapath::Datapath;

use super::find::{pod_uid, processes, started};
use super::places::inode;

/// The process that probes the node's pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kubelet {
    pub(super) pid: u32,
    /// In ticks since boot.
    started: u64,
    program: PathBuf,
}

/// Keeps the data path told of which process is the kubelet, from a thread of its own, which ends with the process. What it
/// gives is for the metrics: whether one is known.
pub(crate) fn keep_told(datapath: Arc<Datapath>) -> io::Result<Arc<AtomicBool>> {
    let is_known = Arc::new(AtomicBool::default());
    let known = is_known.clone();
    std::thread::Builder::new().name("kubelet".into()).spawn(move || forever(&datapath, &known))?;
    Ok(is_known)
}

fn forever(datapath: &Datapath, is_known: &AtomicBool) {
    let mut was_missed = false;
    loop {
        let found = find().and_then(held);
        let process = found.as_ref().map(|(kubelet, _)| (kubelet.pid, kubelet.started));
        let told = datapath.set_kubelet(process);
        if let Err(error) = &told {
            tracing::warn!(%error, "the kernel is not told which process is the kubelet");
        }
        is_known.store(found.is_some() && told.is_ok(), Ordering::Relaxed);
        let is_missed = found.is_none();
        if let Some((kubelet, end)) = found {
            tracing::info!(pid = kubelet.pid, program = %kubelet.program.display(), "the kubelet is known: its probes pass");
            match poll(&mut [PollFd::new(&end, PollFlags::IN)], None) {
                Ok(_) => {
                    tracing::info!(pid = kubelet.pid, "the kubelet has ended; looking for the next one");
                    continue;
                }
                Err(error) => tracing::warn!(%error, "the kubelet's end cannot be waited for"),
            }
        } else if !was_missed {
            tracing::warn!(
                "no kubelet is found on this node: its probes are taken for anybody's connections (--kubelet-cgroup)"
            );
        }
        was_missed = is_missed;
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// How long probes of a kubelet that was started anew may be refused.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// With a descriptor that tells its end; nothing if it has ended, or another process has its number meanwhile.
fn held(kubelet: Kubelet) -> Option<(Kubelet, OwnedFd)> {
    let pid = Pid::from_raw(i32::try_from(kubelet.pid).ok()?)?;
    let end = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let now = started(&Path::new("/proc").join(kubelet.pid.to_string()));
    (now == Some(kubelet.started)).then_some((kubelet, end))
}

/// The kubelet of this node: the oldest process that is one.
pub(super) fn find() -> Option<Kubelet> {
    let node = Node {
        network: inode(Path::new("/proc/self/ns/net")),
        processes: inode(Path::new("/proc/self/ns/pid")),
        // A node that is a pod itself: what is in that pod is the node.
        pod: fs::read_to_string("/proc/1/cgroup").ok().as_deref().and_then(pod_uid),
    };
    let kubelet = |process: &PathBuf| {
        let facts = Facts::of(process)?;
        if let Err(why) = facts.judge(&node) {
            tracing::debug!(process = %process.display(), name = facts.name, "no kubelet: {why}");
            return None;
        }
        let pid = process.file_name()?.to_str()?.parse().ok()?;
        Some(Kubelet { pid, started: started(process)?, program: facts.program? })
    };
    processes().filter_map(|process| kubelet(&process)).min_by_key(|kubelet| kubelet.started)
}

/// What is so of the node as a whole.
struct Node {
    network: Option<u64>,
    processes: Option<u64>,
    pod: Option<String>,
}

/// What procfs says of a process that has a kubelet's name.
struct Facts {
    name: String,
    program: Option<PathBuf>,
    user: Option<u32>,
    network: Option<u64>,
    processes: Option<u64>,
    pod: Option<String>,
}

impl Facts {
    fn of(process: &Path) -> Option<Self> {
        let name = fs::read_to_string(process.join("comm")).ok()?.trim().to_owned();
        if !KUBELETS.contains(&name.as_str()) {
            return None;
        }
        Some(Self {
            name,
            program: fs::read_link(process.join("exe")).ok(),
            user: fs::read_to_string(process.join("status")).ok().as_deref().and_then(effective_user),
            network: inode(&process.join("ns/net")),
            processes: inode(&process.join("ns/pid")),
            pod: fs::read_to_string(process.join("cgroup")).ok().as_deref().and_then(pod_uid),
        })
    }

    fn judge(&self, node: &Node) -> Result<(), &'static str> {
        // A program that was replaced while it runs has a word behind its name.
        let program = self.program.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
        let program = program.map(|name| name.trim_end_matches(" (deleted)"));
        if !program.is_some_and(|program| KUBELETS.contains(&program)) {
            return Err("it runs another program, or may not be looked at (SYS_PTRACE)");
        }
        if self.user != Some(0) {
            return Err("it is not root's");
        }
        if self.network.is_none() || self.network != node.network {
            return Err("it is in another network namespace");
        }
        if self.processes.is_none() || self.processes != node.processes {
            return Err("it is in another PID namespace");
        }
        if self.pod.is_some() && self.pod != node.pod {
            return Err("it is in a pod");
        }
        Ok(())
    }
}

/// The second number of `Uid:` in `/proc/<pid>/status`.
fn effective_user(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().nth(1)?.parse().ok()
}

/// As programs that have a kubelet in them are called, and their processes. (k0s starts `kubelet`.)
const KUBELETS: [&str; 5] = ["kubelet", "k3s", "k3s-server", "k3s-agent", "kubelite"];

#[cfg(test)]
#[path = "kubelet_tests.rs"]
mod tests;
