//! Counting decisions: per CPU, so that no cache line is shared and no atomic is needed.

use aya_ebpf::btf_maps::PerCpuArray;
use weir_ebpf_common::Counter;

/// The COUNTERS map, one pinned map for all objects.
pub type Counters = PerCpuArray<u64, { Counter::CAPACITY as usize }>;

/// Adds one.
#[inline(always)]
pub fn count(counters: &Counters, which: Counter) {
    if let Some(value) = counters.get_ptr_mut(which as u32) {
        // SAFETY: a value of this CPU's own; a program that interrupts between load and store loses at most one count.
        unsafe { *value += 1 };
    }
}
