//! Elements of maps, by pointers.

use std::os::fd::BorrowedFd;

use super::{Result, call, number};

/// Key and value of a map call. The pointers must be good for the map's key and value sizes.
#[repr(C)]
pub(in crate::bpf) struct Element {
    map: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

impl Element {
    pub(in crate::bpf) fn new(map: BorrowedFd<'_>, key: *const u8, value: *const u8) -> Self {
        Self { map: number(map), pad: 0, key: key as u64, value: value as u64, flags: 0 }
    }
}

/// BPF_MAP_LOOKUP_ELEM; `false` when the key is not there.
///
/// # Safety
/// `element` points to a key and to writable space of the map's value size.
pub(in crate::bpf) unsafe fn map_lookup(element: Element) -> Result<bool> {
    found(call("MAP_LOOKUP_ELEM", 1, element))
}

/// BPF_MAP_UPDATE_ELEM.
///
/// # Safety
/// `element` points to a key and a value of the map's sizes.
pub(in crate::bpf) unsafe fn map_update(element: Element) -> Result<()> {
    call("MAP_UPDATE_ELEM", 2, element).map(drop)
}

/// BPF_MAP_DELETE_ELEM; `false` when the key is not there.
///
/// # Safety
/// `element` points to a key of the map's size.
pub(in crate::bpf) unsafe fn map_delete(element: Element) -> Result<bool> {
    found(call("MAP_DELETE_ELEM", 3, element))
}

/// BPF_MAP_GET_NEXT_KEY into the value; `false` at the end. A null key asks for the first one.
///
/// # Safety
/// `element` points to a key or null, and to writable space of the map's key size.
pub(in crate::bpf) unsafe fn map_next_key(element: Element) -> Result<bool> {
    found(call("MAP_GET_NEXT_KEY", 4, element))
}

fn found(result: Result<i32>) -> Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.errno() == libc::ENOENT => Ok(false),
        Err(error) => Err(error),
    }
}
