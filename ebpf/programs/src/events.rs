//! Writing connection events, when somebody reads them.

use aya_ebpf::{
    btf_maps::{Array, RingBuf},
    helpers::generated::bpf_ktime_get_ns,
};
use weir_ebpf_common::{Counter, FlowStart, RawEvent, kind};

use crate::{Counters, count};

/// The EVENTS map: 256 KiB, about 2000 records.
pub type Events = RingBuf<RawEvent, { 256 * 1024 }>;

/// The CONTROL map: `weir_ebpf_common::control` bits.
pub type Control = Array<u32, 1>;

/// The bits that are on now. 0 is the normal state: then no event costs more than this lookup.
#[inline(always)]
pub fn switched_on(control: &Control) -> u32 {
    match control.get_ptr(0) {
        // SAFETY: array element 0 of size 1; user space writes it, hence volatile.
        Some(bits) => unsafe { core::ptr::read_volatile(bits) },
        None => 0,
    }
}

/// Writes one record: `event` with the time, and with what is known of the socket's start. A full ring drops the record
/// and counts it; the data path never waits for a reader.
#[inline(always)]
pub fn report(events: &Events, counters: &Counters, event: &RawEvent, start: Option<&FlowStart>) {
    let Some(mut record) = events.reserve(0) else {
        count(counters, Counter::EventsLost);
        return;
    };
    let slot = record.as_mut_ptr();
    // SAFETY: the reservation is size_of::<RawEvent>() bytes, 8 byte aligned, and ours until submit.
    let slot = unsafe {
        slot.write(*event);
        &mut *slot
    };
    // SAFETY: no arguments.
    slot.time_ns = unsafe { bpf_ktime_get_ns() };
    if let Some(start) = start {
        slot.cgroup_id = start.cgroup_id;
        slot.pid = start.pid;
        slot.role = start.role as u8;
        slot.comm = start.comm;
        if event.kind == kind::CLOSED {
            slot.duration_ns = slot.time_ns.wrapping_sub(start.time_ns);
        }
    }
    record.submit(0);
}
