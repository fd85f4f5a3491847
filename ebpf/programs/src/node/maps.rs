//! Maps of the node's object. All are pinned: they outlive the agent, so that capture stays closed while it is away.

use aya_ebpf::{
    Global,
    btf_maps::{HashMap, LpmTrie, LruHashMap},
    macros::btf_map,
};
use weir_ebpf_common::{
    Addr, FlowStart, FlowTuple, MARK as DEFAULT_MARK, OwnKey, ProbePort, ProcessKey, ProcessView,
};
use weir_ebpf_programs::{CLONED, Control, Counters, Events, SkStorage};

/// Namespaces whose connections are captured, by netns cookie.
#[btf_map]
pub(crate) static ENROLLED: HashMap<u64, u32, 4096> = HashMap::new();

/// The cgroup whose processes are the agent, with its process id. A restarted container has a new one; the agent takes those
/// out whose agent has ended.
#[btf_map]
pub(crate) static EXEMPT: HashMap<u64, u32, 1024> = HashMap::new();

/// Addresses of the enrolled namespaces.
#[btf_map]
pub(crate) static OWN: HashMap<OwnKey, u32, 16384, NO_PREALLOC> = HashMap::new();

/// Destinations that are never captured. Key layout: `weir_ebpf_common::PrefixKey`.
#[btf_map]
pub(crate) static EXCLUDE: LpmTrie<Addr, u32, 4096> = LpmTrie::new();

/// Probes on their way: when the kubelet's SYN was announced. sk_lookup reads it.
#[btf_map]
pub(crate) static PROBES: LruHashMap<FlowTuple, u64, 4096> = LruHashMap::new();

/// Ports that the kubelet may probe.
#[btf_map]
pub(crate) static PROBE_PORTS: HashMap<ProbePort, u32, 16384, NO_PREALLOC> = HashMap::new();

/// The kubelet, where it is known by its process. Two while one takes over from the other.
#[btf_map]
pub(crate) static KUBELETS: HashMap<ProcessKey, u32, 16> = HashMap::new();

/// Present on the agent's listeners, inherited by what they accept.
#[btf_map]
pub(crate) static AGENT_SOCKETS: SkStorage<u32, CLONED> = SkStorage::new();

/// Start of each connection, kept while events are on.
#[btf_map]
pub(crate) static FLOWS: SkStorage<FlowStart> = SkStorage::new();

/// Decisions.
#[btf_map]
pub(crate) static COUNTERS: Counters = Counters::new();

/// Switches.
#[btf_map]
pub(crate) static CONTROL: Control = Control::new();

/// Connection events.
#[btf_map]
pub(crate) static EVENTS: Events = Events::new();

/// The configured mark; constant for the verifier.
#[unsafe(no_mangle)]
pub(crate) static WEIR_MARK: Global<u32> = Global::new(DEFAULT_MARK);

/// 1 where cgroup programs may ask for the current process (Linux 6.1); 0 takes the calls out before the verifier sees
/// them.
#[unsafe(no_mangle)]
pub(crate) static CURRENT_TASK: Global<u8> = Global::new(1);

/// How the kubelet's process is known. With inode 0 it is not asked for, and the verifier never sees those calls.
#[unsafe(no_mangle)]
pub(crate) static PROCESS_VIEW: Global<ProcessView> =
    Global::new(ProcessView { namespace_device: 0, namespace_inode: 0, group_leader: 0, start_boottime: 0 });

/// BPF_F_NO_PREALLOC: these maps are large and mostly empty.
const NO_PREALLOC: usize = 1;
