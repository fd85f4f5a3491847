//! Maps of a pod's object: four of its own, two that are the node's (shared by their pins).

use aya_ebpf::{
    btf_maps::{Array, HashMap, LruHashMap},
    macros::btf_map,
};
use weir_ebpf_common::{Addr, FlowTuple, PodConfig, slots};
use weir_ebpf_programs::{Counters, SockArray};

/// Listeners, see `weir_ebpf_common::slots`.
#[btf_map]
pub(crate) static LISTENERS: SockArray<{ slots::COUNT as usize }> = SockArray::new();

/// Addresses of the pod.
#[btf_map]
pub(crate) static OWN: HashMap<Addr, u32, 64> = HashMap::new();

/// ifindex to first slot.
#[btf_map]
pub(crate) static INTERFACES: HashMap<u32, u32, { slots::MAX_INTERFACES as usize }> = HashMap::new();

/// Workers and seed.
#[btf_map]
pub(crate) static CONFIG: Array<PodConfig, 1> = Array::new();

/// The node's: probes on their way.
#[btf_map]
pub(crate) static PROBES: LruHashMap<FlowTuple, u64, 4096> = LruHashMap::new();

/// The node's: decisions.
#[btf_map]
pub(crate) static COUNTERS: Counters = Counters::new();
