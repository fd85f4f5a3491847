//! Typed access to one map by its fd, usable from any thread.

use std::{
    marker::PhantomData,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use aya::{Pod, maps::MapData};

use super::{
    error::{BpfError, Context},
    sys::{self, Element},
};

/// A map with keys `K` and values `V`. The sizes were compared with the kernel's when it was made: the kernel writes as
/// many bytes as *it* believes a value has.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    fd: OwnedFd,
    name: &'static str,
    /// What it has room for.
    entries: usize,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Pod, V: Pod> Table<K, V> {
    pub(super) fn new(name: &'static str, map: &MapData) -> Result<Self, BpfError> {
        let map_error = |source| BpfError::Map { map: name.to_owned(), source: Box::new(source) };
        let info = map.info().map_err(map_error)?;
        let (found, expected) =
            ((info.key_size(), info.value_size()), (size_of::<K>() as u32, size_of::<V>() as u32));
        if found != expected {
            return Err(BpfError::Layout {
                path: name.into(),
                found: format!("key and value of {} and {} bytes", found.0, found.1),
                expected: format!("{} and {}", expected.0, expected.1),
            });
        }
        let fd = map.fd().as_fd().try_clone_to_owned().map_err(|source| BpfError::File {
            action: "duplicate the fd of map",
            path: name.into(),
            source,
        })?;
        Ok(Self { fd, name, entries: info.max_entries() as usize, types: PhantomData })
    }

    pub(super) fn get(&self, key: &K) -> Result<Option<V>, BpfError> {
        let mut value = MaybeUninit::<V>::zeroed();
        let element = Element::new(self.fd.as_fd(), bytes(key), value.as_mut_ptr().cast());
        // SAFETY: key and value have the map's sizes, see `new`.
        let found = unsafe { sys::map_lookup(element) }.on(|| format!("reading map {}", self.name))?;
        // SAFETY: filled by the kernel, or zeroes; `Pod` takes any bits.
        Ok(found.then(|| unsafe { value.assume_init() }))
    }

    pub(super) fn set(&self, key: &K, value: &V) -> Result<(), BpfError> {
        let element = Element::new(self.fd.as_fd(), bytes(key), bytes(value));
        // SAFETY: key and value have the map's sizes, see `new`.
        match unsafe { sys::map_update(element) } {
            // E2BIG of a hash, ENOSPC of a trie.
            Err(error) if matches!(error.errno(), libc::E2BIG | libc::ENOSPC) => {
                Err(BpfError::Full { map: self.name, entries: self.entries })
            }
            other => other.on(|| format!("writing map {}", self.name)),
        }
    }

    /// `false` when it was not there.
    pub(super) fn remove(&self, key: &K) -> Result<bool, BpfError> {
        let element = Element::new(self.fd.as_fd(), bytes(key), std::ptr::null());
        // SAFETY: the key has the map's size, see `new`.
        unsafe { sys::map_delete(element) }.on(|| format!("writing map {}", self.name))
    }

    /// All keys; entries that come or go meanwhile may be missed or doubled, because the kernel starts again when the key
    /// that it goes on from was removed.
    pub(super) fn keys(&self) -> Result<Vec<K>, BpfError> {
        let mut keys: Vec<K> = Vec::new();
        // Ends, whatever the kernel says.
        while keys.len() <= 2 * self.entries {
            let mut next = MaybeUninit::<K>::zeroed();
            let last = keys.last().map_or(std::ptr::null(), bytes);
            let element = Element::new(self.fd.as_fd(), last, next.as_mut_ptr().cast());
            // SAFETY: the key, where there is one, and the space for the next have the map's key size.
            if !unsafe { sys::map_next_key(element) }.on(|| format!("listing map {}", self.name))? {
                return Ok(keys);
            }
            // SAFETY: filled by the kernel; `Pod` takes any bits.
            keys.push(unsafe { next.assume_init() });
        }
        Ok(keys)
    }

    pub(super) fn entries(&self) -> Result<Vec<(K, V)>, BpfError> {
        let mut entries = Vec::new();
        for key in self.keys()? {
            if let Some(value) = self.get(&key)? {
                entries.push((key, value));
            }
        }
        Ok(entries)
    }
}

/// The pod's socket array: written as socket fds, read as socket cookies.
#[derive(Debug)]
pub(super) struct SockTable(Table<u32, u64>);

impl SockTable {
    pub(super) fn new(name: &'static str, map: &MapData) -> Result<Self, BpfError> {
        Table::new(name, map).map(Self)
    }

    pub(super) fn set(&self, slot: u32, socket: BorrowedFd<'_>) -> Result<(), BpfError> {
        self.0.set(&slot, &(socket.as_raw_fd() as u64))
    }

    pub(super) fn cookie(&self, slot: u32) -> Result<Option<u64>, BpfError> {
        self.0.get(&slot)
    }

    pub(super) fn clear(&self, slot: u32) -> Result<(), BpfError> {
        match self.0.remove(&slot) {
            // The kernel's word for an empty slot of a socket array.
            Err(BpfError::Syscall { source, .. }) if source.errno() == libc::EINVAL => Ok(()),
            other => other.map(drop),
        }
    }
}

fn bytes<T>(value: &T) -> *const u8 {
    std::ptr::from_ref(value).cast()
}
