//! The node's programs and maps: one of these per agent.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aya::{EbpfLoader, programs::ProgramType, sys::is_helper_supported};
use aya_obj::generated::bpf_func_id;
use weir_ebpf_common::ProcessView;

use super::{
    Config, Fault,
    counters::Counters,
    error::BpfError,
    hooks::{Attachment, HOOKS, Place},
    log::LogReader,
    members::Maps,
    object::{self, Loaded},
    offsets, pins,
    pod::PodPrograms,
    trace::Switches,
};
use crate::config::Kubelet;
use crate::events::{EventStream, Hub};

type Result<T> = std::result::Result<T, BpfError>;

/// connect4/6, bind4/6 and sock_ops on the pods' cgroup, sock_ops where the kubelet is seen, with their maps.
#[derive(Debug)]
pub(crate) struct NodePrograms {
    root: PathBuf,
    pub(super) maps: Maps,
    attachments: Mutex<Vec<Attachment>>,
    events: Arc<Hub>,
    _log: Option<LogReader>,
}

/// Names of the maps that are pinned, which is all but those of aya-log and of constants.
pub(super) const MAPS: [&str; 12] = [
    "ENROLLED",
    "EXEMPT",
    "OWN",
    "EXCLUDE",
    "PROBES",
    "PROBE_PORTS",
    "KUBELETS",
    "AGENT_SOCKETS",
    "FLOWS",
    "COUNTERS",
    "CONTROL",
    "EVENTS",
];

impl NodePrograms {
    /// Loads the programs, adopts pinned maps (layout checked) and links (updated in place), attaches what is missing.
    ///
    /// # Errors
    /// Everything that keeps pods from being captured. A kubelet cgroup that is not there is only logged and found by
    /// `verify`: probes then go through the agent.
    pub(crate) fn start(config: &Config) -> Result<Self> {
        pins::prepare(&config.root)?;
        let pins = pins::node_maps(&config.root, &MAPS);
        let view = match &config.kubelet {
            Kubelet::Process(_) => offsets::of_processes()?,
            _ => ProcessView::default(),
        };
        let mut loaded = object::NODE.load(&pins, |loader| set_globals(loader, config, view))?;
        let mut attachments = load_hooks(&mut loaded, config)?;
        let maps = Maps::take(&mut loaded)?;
        let log = (config.log_level > 0).then(|| LogReader::start(&mut loaded.ebpf)).flatten();
        let events = Hub::new(
            Switches::new(&loaded.map("CONTROL")?)?,
            Arc::clone(&maps.counters),
            pins::node_maps(&config.root, &crate::events::MAPS),
        );
        events.reset()?;
        // All are asked before one is attached: a start that is refused leaves nothing half in place.
        for attachment in attachments.iter().filter(|attachment| attachment.place() == Place::Pods) {
            attachment.check_neighbours()?;
        }
        for attachment in &mut attachments {
            match (attachment.attach(), attachment.place()) {
                (Err(error), Place::Kubelet) => {
                    tracing::warn!(%error, "the kubelet's probes are not told apart, they go through the agent");
                }
                (result, _) => result?,
            }
        }
        Ok(Self { root: config.root.clone(), maps, attachments: Mutex::new(attachments), events, _log: log })
    }

    /// What is not as it should be: each link alive, of its type, on the cgroup that now has the path, and pinned.
    pub(crate) fn verify(&self) -> Vec<Fault> {
        self.attachments()
            .iter()
            .filter_map(|attachment| attachment.fault().map(|why| Fault { what: attachment.name(), why }))
            .collect()
    }

    /// Attaches again what `verify` finds broken, and returns that.
    ///
    /// # Errors
    /// The first hook that cannot be attached; the others were tried.
    pub(crate) fn repair(&self) -> Result<Vec<Fault>> {
        let mut repaired = Vec::new();
        let mut failed = None;
        for attachment in self.attachments().iter_mut() {
            let Some(why) = attachment.fault() else { continue };
            match attachment.attach() {
                Ok(()) => repaired.push(Fault { what: attachment.name(), why }),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(repaired), Err)
    }

    /// What the programs decided since the maps were made.
    pub(crate) fn counters(&self) -> Result<Counters> {
        self.maps.counters.read()
    }

    /// Live connection events of the node's pods; the first reader switches them on, the last one off.
    pub(crate) fn events(&self) -> Result<EventStream> {
        self.events.subscribe()
    }

    /// The per-pod loader that shares this node's maps.
    pub(crate) fn pods(&self) -> Result<PodPrograms> {
        Ok(PodPrograms::new(self.root.clone()))
    }

    /// Detaches everything and removes all pins below the root, those of pods included: from here on nothing is captured.
    pub(crate) fn detach_all(&self) -> Result<()> {
        for attachment in self.attachments().iter_mut() {
            attachment.detach()?;
        }
        pins::remove_tree(&self.root)?;
        if let Some(parent) = self.root.parent() {
            // Only an empty folder goes; the mount point itself, or what somebody else put there, stays.
            let _ = std::fs::remove_dir(parent);
        }
        Ok(())
    }

    fn attachments(&self) -> MutexGuard<'_, Vec<Attachment>> {
        self.attachments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for NodePrograms {
    fn drop(&mut self) {
        self.events.close();
    }
}

fn load_hooks(loaded: &mut Loaded, config: &Config) -> Result<Vec<Attachment>> {
    let mut attachments = Vec::new();
    for hook in HOOKS {
        let cgroup = match (hook.place, &config.kubelet) {
            (Place::Pods, _) => &config.pods_cgroup,
            (Place::Kubelet, Kubelet::Cgroup(cgroup) | Kubelet::Process(cgroup)) => cgroup,
            (Place::Kubelet, Kubelet::Nobody) => continue,
        };
        let program = loaded.program(hook.function)?;
        attachments.push(Attachment::new(hook, program, cgroup, &config.root));
    }
    Ok(attachments)
}

fn set_globals(loader: &mut EbpfLoader<'static>, config: &Config, view: ProcessView) {
    // Globals are borrowed by the loader, which lives as long as the process: a few bytes per start.
    let mark: &'static u32 = Box::leak(Box::new(config.mark));
    let level: &'static u8 = Box::leak(Box::new(config.log_level));
    let current_task: &'static u8 = Box::leak(Box::new(u8::from(knows_current_task())));
    let view: &'static ProcessView = Box::leak(Box::new(view));
    loader
        .override_global("WEIR_MARK", mark, false)
        .override_global("AYA_LOG_LEVEL", level, false)
        .override_global("CURRENT_TASK", current_task, false)
        .override_global("PROCESS_VIEW", std::slice::from_ref(view), false);
}

/// Whether a program that sees a connection can find out whose it is: Linux 6.10 gave sock_ops the helper for the number,
/// BTF says where the start is.
pub(crate) fn tells_processes_apart() -> bool {
    let helper = bpf_func_id::BPF_FUNC_get_ns_current_pid_tgid;
    is_helper_supported(ProgramType::SockOps, helper).unwrap_or(false) && offsets::are_known()
}

/// Linux 6.1 gave cgroup programs the helpers for pid and name of the process; without them events lack both.
fn knows_current_task() -> bool {
    [bpf_func_id::BPF_FUNC_get_current_pid_tgid, bpf_func_id::BPF_FUNC_get_current_comm]
        .into_iter()
        .all(|helper| is_helper_supported(ProgramType::CgroupSockAddr, helper).unwrap_or(false))
}
