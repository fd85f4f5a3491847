//! Network namespaces by name, and running code inside one.
//!
//! No handle keeps the namespace open: a story about a deleted pod must not be the reason why its
//! namespace lives on.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::cleanup::SetupLock;
use crate::tool;

/// A named network namespace (`ip netns`), alive until deleted.
#[derive(Clone, Debug)]
pub struct NetNs {
    name: String,
}

impl NetNs {
    /// Makes the namespace: `lo` up, forwarding as told, no duplicate address detection.
    pub(crate) fn create(name: &str, forward: bool) -> Result<Self> {
        {
            // `ip netns add` turns /run/netns into a shared mount on first use; two at once may race.
            let _lock = SetupLock::take()?;
            tool::run("ip", &["netns", "add", name])?;
        }
        let ns = Self { name: name.to_owned() };
        let forward = if forward { "1" } else { "0" };
        ns.sysctl("net.ipv6.conf.all.accept_dad", "0")?;
        ns.sysctl("net.ipv6.conf.default.accept_dad", "0")?;
        ns.sysctl("net.ipv4.ip_forward", forward)?;
        ns.sysctl("net.ipv6.conf.all.forwarding", forward)?;
        // Some hosts set bbr, whose pacing hides what the mesh costs.
        ns.sysctl("net.ipv4.tcp_congestion_control", "reno")?;
        ns.ip(&["link", "set", "lo", "up"])?;
        Ok(ns)
    }

    /// Name as in `ip netns exec NAME`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bind-mounted file of the namespace, as the mesh file's `networkNamespace` wants it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// Runs `ip -n NAME ARGS`.
    pub fn ip(&self, args: &[&str]) -> Result<String> {
        tool::run("ip", &[&["-n", self.name()], args].concat())
    }

    /// Runs many `ip` commands in one process.
    pub fn ip_batch(&self, lines: &[String]) -> Result<()> {
        tool::feed("ip", &["-n", self.name(), "-batch", "-"], &(lines.join("\n") + "\n"))?;
        Ok(())
    }

    /// Runs `f` on a thread inside the namespace. The thread is in the harness's own cgroup: hooks of
    /// the pods' cgroup do not see its sockets (use a process in the pod for that).
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T> {
        let path = self.path();
        let file = File::open(&path).with_context(|| format!("no namespace {}", path.display()))?;
        std::thread::scope(|scope| {
            scope
                .spawn(move || {
                    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                        .with_context(|| format!("cannot enter {}", path.display()))?;
                    drop(file);
                    Ok(f())
                })
                .join()
                .map_err(|_| anyhow!("a closure panicked in namespace {}", self.name))?
        })
    }

    /// Writes one `net.` sysctl of the namespace.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = sysctl_path(key);
        self.run(|| fs::write(&path, value).with_context(|| format!("sysctl {key}={value}")))?
    }

    /// Reads one `net.` sysctl of the namespace.
    pub fn read_sysctl(&self, key: &str) -> Result<String> {
        let path = sysctl_path(key);
        self.run(|| fs::read_to_string(&path).with_context(|| format!("sysctl {key}")))?
            .map(|text| text.trim().to_owned())
    }

    /// Ports (of either family) with a TCP listener in the namespace.
    pub fn listening_ports(&self) -> Result<Vec<u16>> {
        // `self` would be the process's first thread; only `thread-self` follows setns.
        let read =
            || ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/thread-self/net/{table}")));
        let mut ports = Vec::new();
        for table in self.run(read)? {
            ports.extend(table?.lines().skip(1).filter_map(listening_port));
        }
        Ok(ports)
    }

    /// Whether the name still exists.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Removes the name; the namespace itself goes when its last socket and process are gone.
    pub fn delete(&self) -> Result<()> {
        tool::run("ip", &["netns", "del", self.name()]).map(drop)
    }
}

fn sysctl_path(key: &str) -> PathBuf {
    Path::new("/proc/sys").join(key.replace('.', "/"))
}

/// `sl local_address rem_address st ...`, state 0A is LISTEN, the port is hexadecimal.
fn listening_port(line: &str) -> Option<u16> {
    let mut fields = line.split_whitespace().skip(1);
    let local = fields.next()?;
    (fields.nth(1)? == "0A").then(|| u16::from_str_radix(local.rsplit(':').next()?, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::listening_port;

    #[test]
    fn reads_the_kernels_table() {
        let listen = "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0";
        let open = "   1: 0100007F:0050 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0";
        assert_eq!(listening_port(listen), Some(80));
        assert_eq!(listening_port(open), None);
        assert_eq!(listening_port(""), None);
    }
}
