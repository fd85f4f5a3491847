//! Why the data path could not do what it was asked.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use weir_model::OLDEST_LINUX;

use crate::bpf::BpfError;

/// Error of the data path. The text says who, what, and what to look at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatapathError {
    /// A kernel program, map, link or pin.
    #[error("kernel programs: {0}")]
    Kernel(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The setting is out of range.
    #[error("configuration: {0}")]
    Config(String),
    /// Two agents would repair each other's work away.
    #[error(
        "another agent (pid {pid}) runs with the runtime directory {}; stop it, or give this one a runtime directory and a bpffs of its own",
        .directory.display()
    )]
    Busy {
        /// The runtime directory.
        directory: PathBuf,
        /// What the other one wrote about itself.
        pid: String,
    },
    /// The file at `path` is not there or not a network namespace.
    #[error("pod {uid}: cannot enter the network namespace {}: {source}; is the pod running, and does the agent see the host's /run/netns and /proc?", .path.display())]
    OpenNetns {
        /// The pod.
        uid: String,
        /// Its namespace file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The pod runs in the host's or the agent's own network namespace.
    #[error("pod {uid}: {} is the network namespace of {whose}; a pod with hostNetwork cannot be enrolled", .path.display())]
    HostNetns {
        /// The pod.
        uid: String,
        /// Its namespace file.
        path: PathBuf,
        /// "the host" or "this agent".
        whose: &'static str,
    },
    /// The namespace belongs to somebody else, or the CNI has not finished.
    #[error("pod {uid}: the network namespace {} holds none of the pod's addresses {declared:?}, it has {found:?}; is the path the right pod's, and has the CNI finished?", .path.display())]
    NoDeclaredAddress {
        /// The pod.
        uid: String,
        /// Its namespace file.
        path: PathBuf,
        /// What the workload says.
        declared: Vec<IpAddr>,
        /// What the namespace has.
        found: Vec<IpAddr>,
    },
    /// Two workloads name the same namespace.
    #[error("pod {uid}: the network namespace {} is enrolled for pod {other} already; two workloads cannot share one", .path.display())]
    NetnsTaken {
        /// The pod.
        uid: String,
        /// Its namespace file.
        path: PathBuf,
        /// Who has it.
        other: String,
    },
    /// A pod that is not (or no longer) enrolled.
    #[error("pod {uid} is not enrolled")]
    NoSuchPod {
        /// The pod.
        uid: String,
    },
    /// It came too late.
    #[error("pod {uid} is not enrolled: the data path has been shut down; the next agent takes the pod in")]
    ShutDown {
        /// The pod.
        uid: String,
    },
    /// The data path does not start, and the kernel is older than the agent is made for.
    #[error("Linux {release} is older than {}.{}, which the agent needs: {source}", OLDEST_LINUX.0, OLDEST_LINUX.1)]
    OldKernel {
        /// As `uname -r` has it.
        release: String,
        /// What it lacks.
        source: Box<DatapathError>,
    },
    /// A thread, a namespace switch or a socket.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A sysctl of the pod.
    #[error("cannot {action} {}: {source}; the agent needs Linux 5.17 or later, and CAP_SYS_ADMIN where /proc/sys is read-only (as in a container)", .path.display())]
    Sysctl {
        /// The file.
        path: PathBuf,
        /// "read" or "write".
        action: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The agent's own file about a pod.
    #[error("saved state {}: {source}; if it is damaged, remove it and restart the pod that it names", .path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// Every port of the range is in use in the pod.
    #[error(
        "no port in {first}..={last} is free for the agent's listeners in the pod; last refusal: {source}"
    )]
    NoPort {
        /// Lowest tried.
        first: u16,
        /// Highest tried.
        last: u16,
        /// The last refusal.
        source: io::Error,
    },
    /// The functional self-test did not get through.
    #[error("self-test failed at \"{step}\": {why}; look at: {look_at}")]
    SelfTest {
        /// Which step.
        step: &'static str,
        /// What happened.
        why: String,
        /// Where to look.
        look_at: &'static str,
    },
}

impl DatapathError {
    /// Wraps the error of a system call with what was tried, in words that follow "cannot".
    pub(crate) fn system(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::System { action, source }
    }
}

impl From<BpfError> for DatapathError {
    fn from(error: BpfError) -> Self {
        Self::Kernel(Box::new(error))
    }
}

pub(crate) type Result<T> = std::result::Result<T, DatapathError>;
