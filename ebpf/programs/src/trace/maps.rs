//! Maps of the tracer's object: all are the node's, shared by their pins.

use aya_ebpf::{Global, btf_maps::HashMap, macros::btf_map};
use weir_ebpf_common::{FlowStart, StateOffsets};
use weir_ebpf_programs::{CLONED, Counters, Events, SkStorage};

/// Enrolled namespaces.
#[btf_map]
pub(crate) static ENROLLED: HashMap<u64, u32, 4096> = HashMap::new();

/// The agent's cgroups.
#[btf_map]
pub(crate) static EXEMPT: HashMap<u64, u32, 1024> = HashMap::new();

/// The agent's listeners and their children.
#[btf_map]
pub(crate) static AGENT_SOCKETS: SkStorage<u32, CLONED> = SkStorage::new();

/// Start of each connection.
#[btf_map]
pub(crate) static FLOWS: SkStorage<FlowStart> = SkStorage::new();

/// Decisions; here only the lost events.
#[btf_map]
pub(crate) static COUNTERS: Counters = Counters::new();

/// Connection events.
#[btf_map]
pub(crate) static EVENTS: Events = Events::new();

/// Where the running kernel keeps the fields; the defaults are never used.
#[unsafe(no_mangle)]
pub(crate) static OFFSETS: Global<StateOffsets> = Global::new(StateOffsets {
    sk_net: 0,
    net_cookie: 0,
    sk_family: 0,
    sk_daddr: 0,
    sk_rcv_saddr: 0,
    sk_v6_daddr: 0,
    sk_v6_rcv_saddr: 0,
    sk_dport: 0,
    inet_sport: 0,
    sk_protocol: 0,
    bytes_acked: 0,
    bytes_received: 0,
    srtt_us: 0,
});
