//! What the kernel counts for another process.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// Memory in RAM now and at most so far, KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) now: f64,
    pub(crate) peak: f64,
}

/// Memory of a process, by its id or `self`.
pub(crate) fn memory(pid: &str) -> Result<Memory> {
    let status = read(pid, "status")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.with_context(|| format!("/proc/{pid}/status has no {name}"))
    };
    Ok(Memory { now: field("VmRSS:")?, peak: field("VmHWM:")? })
}

/// Processor time of a process and of all threads that it ever had, seconds, in steps of 10 ms.
pub(crate) fn cpu_seconds(pid: &str) -> Result<f64> {
    let stat = read(pid, "stat")?;
    // The second field, the name in brackets, may hold anything.
    let times = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace().skip(11).take(2));
    let ticks: Option<Vec<u64>> = times.and_then(|times| times.map(|time| time.parse().ok()).collect());
    let ticks = ticks.with_context(|| format!("/proc/{pid}/stat is not as expected: {stat}"))?;
    Ok(ticks.iter().sum::<u64>() as f64 / TICKS_PER_SECOND)
}

/// Processor time of the threads that a process has now, seconds, to the nanosecond: what a change costs is less than a step
/// of [`cpu_seconds`]. Threads must not end between two readings.
pub(crate) fn cpu_of_threads(pid: &str) -> Result<f64> {
    let tasks = fs::read_dir(place(pid, "task")).with_context(|| format!("process {pid} has ended"))?;
    let nanoseconds = |task: fs::DirEntry| -> Option<u64> {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    Ok(tasks.flatten().filter_map(nanoseconds).sum::<u64>() as f64 / 1e9)
}

fn read(pid: &str, file: &str) -> Result<String> {
    let path = place(pid, file);
    fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}; has the process ended?", path.display()))
}

fn place(pid: &str, file: &str) -> PathBuf {
    ["/proc", pid, file].iter().collect()
}

/// USER_HZ: fixed for what /proc tells, whatever the kernel's own tick is.
const TICKS_PER_SECOND: f64 = 100.0;
