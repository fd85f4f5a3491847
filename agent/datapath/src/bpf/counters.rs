//! Sums of what the programs counted, over all CPUs.

use std::os::fd::{AsFd, OwnedFd};

use aya::maps::MapData;
use weir_ebpf_common::Counter;

use super::{
    error::{BpfError, Context},
    sys::{self, Element},
};

/// Sum over CPUs of what the programs decided, in the order of `Counter::ALL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counters(pub(crate) Vec<(&'static str, u64)>);

impl Counters {
    /// One of them.
    #[cfg(test)]
    pub(crate) fn get(&self, which: Counter) -> u64 {
        self.0.get(which as usize).map_or(0, |(_, value)| *value)
    }
}

/// The COUNTERS map.
#[derive(Debug)]
pub(crate) struct CounterTable {
    fd: OwnedFd,
    cpus: usize,
}

impl CounterTable {
    pub(super) fn new(map: &MapData) -> Result<Self, BpfError> {
        let fd = map.fd().as_fd().try_clone_to_owned();
        let file = |source| BpfError::File {
            action: "count CPUs in",
            path: "/sys/devices/system/cpu/possible".into(),
            source,
        };
        Ok(Self { fd: fd.map_err(file)?, cpus: aya::util::nr_cpus().map_err(|(_, source)| file(source))? })
    }

    pub(crate) fn read(&self) -> Result<Counters, BpfError> {
        Counter::ALL
            .iter()
            .map(|which| Ok((which.name(), self.get(*which)?)))
            .collect::<Result<_, _>>()
            .map(Counters)
    }

    pub(crate) fn get(&self, which: Counter) -> Result<u64, BpfError> {
        let key = which as u32;
        // One u64 per possible CPU is what the kernel writes for a per-CPU array of u64.
        let mut values = vec![0_u64; self.cpus];
        let element = Element::new(self.fd.as_fd(), (&raw const key).cast(), values.as_mut_ptr().cast());
        // SAFETY: the key is a u32, the space is as above.
        unsafe { sys::map_lookup(element) }.on(|| "reading map COUNTERS".to_owned())?;
        Ok(values.iter().sum())
    }
}
