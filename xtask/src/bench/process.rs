//! What the kernel counts for the processes of a data plane.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// Processor time that a process and its threads have used, seconds, user and system together.
pub(super) fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let stat =
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}; has the process ended?"))?;
    parse_ticks(&stat)
        .map(|ticks| ticks as f64 / TICKS_PER_SECOND)
        .with_context(|| format!("{path} is not as expected: {stat}"))
}

/// Memory of a process that is in RAM now, KiB.
pub(super) fn rss_kib(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let status =
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}; has the process ended?"))?;
    parse_rss(&status).with_context(|| format!("{path} has no VmRSS"))
}

/// Binds all threads of a process to one processor; threads that it makes later follow.
pub(super) fn pin(pid: u32, cpu: usize) -> Result<()> {
    let arguments =
        ["--all-tasks", "--cpu-list", "--pid", &cpu.to_string(), &pid.to_string()].map(str::to_owned);
    shell::output(Command::new("taskset").args(arguments)).map(drop)
}

/// Fields 14 and 15 of proc_pid_stat(5). The second field, the name in brackets, may hold anything.
fn parse_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    Some(user + system)
}

fn parse_rss(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// USER_HZ: fixed for what /proc tells, whatever the kernel's own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_a_process_with_an_awkward_name() {
        let stat = "77 (weir) agent) S 1 77 77 0 -1 4194560 1 0 0 0 120 34 0 0 20 0 5 0 100 1 1 18446744073709551615";
        assert_eq!(parse_ticks(stat), Some(154));
        assert_eq!(parse_ticks("77 (cat"), None);
    }

    #[test]
    fn memory_in_kib() {
        assert_eq!(parse_rss("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t   17204 kB\n"), Some(17204.0));
        assert_eq!(parse_rss("Name:\tkthread\n"), None);
    }
}
