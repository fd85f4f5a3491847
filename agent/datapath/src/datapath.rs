//! The running data path of one node.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::alone::Alone;
use crate::bpf::{self, NodePrograms, PodPrograms};
use crate::cgroup::Hierarchy;
use crate::config::Config;
use crate::converge::Context;
use crate::error::{DatapathError, Result};
use crate::holder::Holder;
use crate::layout::MARK;
use crate::netns::Netns;
use crate::pod::Pod;
use crate::selftest;
use crate::state::StateDir;
use crate::watch::Watcher;

/// How traffic is captured on this kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Mark, policy route and sk_lookup, proven by the self-test.
    Primary,
}

impl Mode {
    /// For the log, the metrics and `weir status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
        }
    }
}

/// The data path of this node: kernel programs, and one entry per enrolled pod.
///
/// All methods block (some for milliseconds, [`Datapath::finish`] for up to 200 ms): call them from a blocking thread that lives in the
/// agent's own network namespace.
#[derive(Debug)]
pub struct Datapath {
    node: Arc<Node>,
    watcher: Watcher,
}

/// Whether pods may still be enrolled.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    #[default]
    Open,
    /// The data path has been shut down: a pod that came now would be captured for nobody.
    Over,
}

/// What the methods and the watcher's thread share.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) programs: NodePrograms,
    pub(crate) pod_programs: PodPrograms,
    pub(crate) states: StateDir,
    /// The agent's own namespace, where worker threads live.
    pub(crate) home: Arc<Netns>,
    /// Inode number of the host's namespace, if the agent may look at it.
    pub(crate) host: Option<u64>,
    pub(crate) hierarchy: Hierarchy,
    pods: Mutex<BTreeMap<String, Arc<Mutex<Pod>>>>,
    /// Keeps the listeners over a restart of the agent.
    pub(crate) holder: Option<Holder>,
    /// One agent per runtime directory: held until it hands over or ends.
    pub(crate) alone: Mutex<Option<Alone>>,
    /// Enrolments and their undoing go one after the other: two of one pod (or of one namespace) cannot pass each other's checks, and none
    /// takes away what another has just set up.
    pub(crate) enrolling: Mutex<Admission>,
}

impl Datapath {
    /// Loads or adopts the kernel programs, exempts the agent's own cgroup, proves by real connections that capture works on this
    /// kernel, and starts to listen for changes in the pods' namespaces.
    ///
    /// Pods of an earlier agent stay captured (and closed) until they are enrolled again or [`Datapath::release_unclaimed`] is called.
    pub fn start(config: Config) -> Result<Arc<Self>> {
        Self::start_here(config).map_err(|error| {
            let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
            match weir_model::is_linux_too_old(&release) {
                true => {
                    DatapathError::OldKernel { release: release.trim().to_owned(), source: Box::new(error) }
                }
                false => error,
            }
        })
    }

    fn start_here(config: Config) -> Result<Arc<Self>> {
        let node = Arc::new(Node::start(config)?);
        if node.config.self_test
            && let Err(error) = selftest::run(&node)
        {
            node.leave_unused();
            return Err(error);
        }
        let watcher = Watcher::start(Arc::downgrade(&node))?;
        Ok(Arc::new(Self { node, watcher }))
    }

    /// How traffic is captured.
    pub fn mode(&self) -> Mode {
        Mode::Primary
    }

    /// Sums of what the kernel programs decided, by name.
    pub fn counters(&self) -> Result<Vec<(&'static str, u64)>> {
        Ok(self.node.programs.counters()?.0)
    }

    /// Live connection events of the node's pods. They are made only while somebody listens.
    pub fn events(&self) -> Result<crate::EventStream> {
        Ok(self.node.programs.events()?)
    }

    /// With [`crate::Kubelet::Process`]: which process is the kubelet from now on, by its number and its start in clock ticks since boot
    /// (field 22 of `/proc/<pid>/stat`).
    pub fn set_kubelet(&self, process: Option<(u32, u64)>) -> Result<()> {
        Ok(self.node.programs.set_kubelet(process)?)
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    pub(crate) fn watcher(&self) -> &Watcher {
        &self.watcher
    }
}

impl Node {
    /// Everything of [`Datapath::start`] but the self-test and the watcher.
    pub(crate) fn start(config: Config) -> Result<Self> {
        if config.workers == 0 || config.workers > bpf::slots::MAX_WORKERS as usize {
            return Err(DatapathError::Config(format!(
                "workers = {}; it must be 1 to {}",
                config.workers,
                bpf::slots::MAX_WORKERS
            )));
        }
        raise_descriptor_limit();
        let home = Netns::current().map_err(DatapathError::system("read the agent's network namespace"))?;
        let hierarchy = Hierarchy::of(&config.pods_cgroup).map_err(DatapathError::system(format!(
            "use the pods' cgroup {}",
            config.pods_cgroup.display()
        )))?;
        let states = StateDir::create(&config.runtime_dir.join("pods"))?;
        let alone = Alone::claim(&config.runtime_dir)?;
        let programs = NodePrograms::start(&bpf::Config {
            root: config.bpffs.join(weir_ebpf_common::ABI),
            pods_cgroup: config.pods_cgroup.clone(),
            kubelet: config.kubelet.clone(),
            mark: MARK,
            log_level: config.ebpf_log_level,
        })?;
        if hierarchy.id_of("self").is_none() {
            tracing::warn!(
                "the agent's own cgroup is not visible; if it is below the pods' cgroup the agent's connections are captured"
            );
        }
        exempt(&programs, &hierarchy)?;
        let mut exclude = config.exclude.clone();
        // Link-local addresses mean nothing beyond the link, so nothing in the mesh has one.
        exclude.push((IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10));
        programs.set_exclude(&exclude)?;
        let pod_programs = programs.pods()?;
        Ok(Self {
            host: host_inode(),
            home: Arc::new(home),
            programs,
            pod_programs,
            states,
            hierarchy,
            pods: Mutex::default(),
            holder: config.holder.as_deref().map(Holder::new),
            alone: Mutex::new(Some(alone)),
            enrolling: Mutex::default(),
            config,
        })
    }

    /// After a failed start: takes the programs out again, unless pods of an earlier agent depend on them (those stay closed).
    fn leave_unused(&self) {
        if self.programs.enrolled().is_ok_and(|cookies| cookies.is_empty())
            && let Err(error) = self.programs.detach_all()
        {
            tracing::warn!(%error, "the kernel programs are left behind");
        }
    }

    /// The directory that everything is pinned below.
    pub(crate) fn pin_root(&self) -> std::path::PathBuf {
        self.config.bpffs.join(weir_ebpf_common::ABI)
    }

    /// All pods, by uid.
    pub(crate) fn pods(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Mutex<Pod>>>> {
        lock(&self.pods)
    }

    /// One pod.
    pub(crate) fn pod(&self, uid: &str) -> Result<Arc<Mutex<Pod>>> {
        self.pods().get(uid).cloned().ok_or_else(|| DatapathError::NoSuchPod { uid: uid.to_owned() })
    }

    /// All pods, without the map's lock held.
    pub(crate) fn all_pods(&self) -> Vec<Arc<Mutex<Pod>>> {
        self.pods().values().cloned().collect()
    }

    /// Sees that the agent's own connections are not captured, nor those of one before it that still has some to end.
    pub(crate) fn exempt(&self) -> Result<()> {
        exempt(&self.programs, &self.hierarchy)
    }

    /// Brings a pod to what it should be, inside its namespace.
    pub(crate) fn converge(&self, pod: &mut Pod) -> Result<Vec<String>> {
        let netns = Arc::clone(&pod.netns);
        let context = Context {
            node: &self.programs,
            states: &self.states,
            workers: self.config.workers as u32,
            holder: self.holder.as_ref(),
        };
        in_pod(&netns, || pod.converge(&context))?
    }
}

fn exempt(programs: &NodePrograms, hierarchy: &Hierarchy) -> Result<()> {
    let Some(own) = hierarchy.id_of("self") else { return Ok(()) };
    let runs = |id: u64, agent: u32| hierarchy.id_of(&agent.to_string()) == Some(id);
    Ok(programs.exempt_cgroup(own, std::process::id(), runs)?)
}

/// A pod takes some 24 descriptors and each of its connections two; the usual soft limit of 1024 would end that early.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Err(error) = raised {
        tracing::warn!(%error, soft = ?limit.current, "the limit of open descriptors stays as it is");
    }
}

/// Inode number of the host's namespace, which is never enrolled: that of pid 1, or (where pid 1 may not be looked at) that of the
/// kernel's own threads.
fn host_inode() -> Option<u64> {
    let kernel = Path::new("/proc/2");
    let is_kernel = std::fs::read_to_string(kernel.join("comm")).is_ok_and(|name| name.trim() == "kthreadd");
    let number = crate::netns::inode_of_process(Path::new("/proc/1"));
    let number = number.or_else(|| crate::netns::inode_of_process(kernel).filter(|_| is_kernel));
    if number.is_none() {
        tracing::warn!(
            "pid 1 cannot be looked at (hostPID? CAP_SYS_PTRACE?): of the host's namespaces only the agent's own is refused"
        );
    }
    number
}

/// Runs `work` inside a pod's namespace on a thread of its own.
pub(crate) fn in_pod<T: Send>(netns: &Netns, work: impl FnOnce() -> T + Send) -> Result<T> {
    netns.run(work).map_err(|source: io::Error| DatapathError::System {
        action: "enter the pod's network namespace".into(),
        source,
    })
}

/// Takes a lock. A panic while it was held leaves a pod that the next reconcile looks at from the kernel's side anyway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
