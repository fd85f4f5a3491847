//! The tracepoint, and the switches that tell the programs who listens.

use std::os::fd::{AsFd, OwnedFd};

use weir_ebpf_common::{StateOffsets, control};

use super::{
    error::{BpfError, Context},
    object::{self, Pins},
    offsets, sys,
    table::Table,
};

/// The CONTROL map.
#[derive(Debug)]
pub(crate) struct Switches(Table<u32, u32>);

impl Switches {
    pub(super) fn new(map: &aya::maps::MapData) -> Result<Self, BpfError> {
        Table::new("CONTROL", map).map(Self)
    }

    /// Replaces all bits of `weir_ebpf_common::control`.
    pub(crate) fn set(&self, bits: u32) -> Result<(), BpfError> {
        debug_assert_eq!(bits & !(control::EVENTS | control::TRACEPOINT), 0, "unknown switch");
        self.0.set(&0, &bits)
    }
}

/// tp_btf/inet_sock_set_state, attached as long as this value lives. It runs for every TCP socket of the host, which is
/// why it is not there when nobody reads.
#[derive(Debug)]
pub(crate) struct Tracepoint {
    _link: OwnedFd,
}

impl Tracepoint {
    /// `pins`: the node's maps that the programs share.
    pub(crate) fn attach(pins: &Pins) -> Result<Self, BpfError> {
        // Borrowed by the process's loader: 52 bytes per trace.
        let offsets: &'static StateOffsets = Box::leak(Box::new(offsets::of_this_kernel()?));
        let mut loaded = object::TRACE.load(pins, |loader| {
            loader.override_global("OFFSETS", std::slice::from_ref(offsets), false);
        })?;
        let program = loaded.program("weir_state")?;
        let link = sys::tracepoint_open(program.as_fd()).on(|| "attaching inet_sock_set_state".to_owned())?;
        Ok(Self { _link: link })
    }
}
