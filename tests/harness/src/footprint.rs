//! What the kernel counts for a process: memory and descriptors, to see what is not given back.

use std::fs;

use anyhow::{Context, Result};

use crate::Process;

/// What a process holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Memory that is in RAM, KiB.
    pub rss_kib: u64,
    /// Open descriptors: sockets, files, maps.
    pub descriptors: usize,
}

impl Process {
    /// Its memory and descriptors.
    pub fn footprint(&self) -> Result<Footprint> {
        let dir = format!("/proc/{}", self.pid());
        let status =
            fs::read_to_string(format!("{dir}/status")).with_context(|| format!("{dir}: has it ended?"))?;
        let rss_kib = rss(&status).with_context(|| format!("{dir}/status has no VmRSS"))?;
        Ok(Footprint { rss_kib, descriptors: fs::read_dir(format!("{dir}/fd"))?.count() })
    }
}

fn rss(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_the_number_of_its_line() {
        assert_eq!(rss("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t  7204 kB\nThreads:\t1\n"), Some(7204));
        assert_eq!(rss("Name:\tx\n"), None);
    }
}
