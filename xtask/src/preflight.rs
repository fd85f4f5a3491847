//! Can this machine and this user run Weir at all? Asked before anything is installed or built.
//!
//! All reasons are told at once, each with what to do about it: one clear error instead of a failure in the
//! middle of a run.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};
use weir_harness::{kernel_release, kernel_version};

use crate::shell;

mod probe;

/// Checks everything that the agent and the test clusters need of the kernel and of this user.
pub(crate) fn check(verb: &str) -> Result<()> {
    let problems: Vec<Problem> = CHECKS.iter().filter_map(|check| check()).collect();
    if problems.is_empty() {
        return Ok(());
    }
    let list: Vec<String> =
        problems.iter().map(|problem| format!("  - {}\n    {}", problem.reason, problem.next)).collect();
    bail!("`cargo xtask {verb}` cannot run here:\n{}", list.join("\n"))
}

/// Why not, and what to do about it.
struct Problem {
    reason: String,
    next: String,
}

fn problem(reason: impl Into<String>, next: impl Into<String>) -> Option<Problem> {
    Some(Problem { reason: reason.into(), next: next.into() })
}

/// In the order in which a reader would mend them.
const CHECKS: &[fn() -> Option<Problem>] = &[kernel, root, capabilities, btf, cgroup2, bpffs, namespaces];

fn kernel() -> Option<Problem> {
    if std::env::consts::OS != "linux" {
        return problem(
            format!("this is {}, and Weir's data plane is eBPF", std::env::consts::OS),
            "Run it on Linux, for example in a virtual machine.",
        );
    }
    let release = kernel_release();
    let version = kernel_version(&release);
    if version < Some(MINIMUM_KERNEL) {
        let (major, minor) = MINIMUM_KERNEL;
        return problem(
            format!(
                "the kernel is {release}; Weir needs {major}.{minor} (sk_lookup programs see the interface from there on)"
            ),
            format!("Boot a kernel from {major}.{minor} on; {TESTED} is what Weir is tested on."),
        );
    }
    None
}

fn root() -> Option<Problem> {
    if shell::is_root() {
        return None;
    }
    problem(
        "you are not root: network namespaces, cgroups and eBPF programs are made",
        "Run it as root, for example `sudo env PATH=\"$PATH\" cargo xtask ...`.",
    )
}

fn capabilities() -> Option<Problem> {
    // A user without any is told to become root, which is the better advice.
    if !shell::is_root() {
        return None;
    }
    let missing = probe::missing_capabilities(NEEDED_CAPABILITIES);
    if missing.is_empty() {
        return None;
    }
    problem(
        format!("root lacks {} here (a container without them?)", missing.join(", ")),
        "Run it on the machine itself, or give the container these capabilities.",
    )
}

fn btf() -> Option<Problem> {
    if PathBuf::from("/sys/kernel/btf/vmlinux").exists() {
        return None;
    }
    problem(
        "/sys/kernel/btf/vmlinux is not there: the kernel does not describe its own types",
        "Boot a kernel with CONFIG_DEBUG_INFO_BTF=y; the ones of Debian, Ubuntu and Fedora have it.",
    )
}

fn cgroup2() -> Option<Problem> {
    match probe::cgroup2_mount() {
        None => problem(
            "no cgroup2 file system is mounted: eBPF connect hooks attach to a cgroup2 folder",
            "Mount one: `mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified`.",
        ),
        Some(mount) if shell::is_root() && !probe::can_make_folder(&mount) => problem(
            format!(
                "no folder can be made in {}: it is mounted read-only, or belongs to another cgroup namespace",
                mount.display()
            ),
            "Run it on the machine itself, or give the container a writable cgroup2.",
        ),
        Some(_) => None,
    }
}

fn bpffs() -> Option<Problem> {
    if probe::has_file_system("bpf") {
        return None;
    }
    problem(
        "the kernel has no bpf file system: programs and maps cannot be pinned",
        "Boot a kernel with CONFIG_BPF_SYSCALL=y.",
    )
}

fn namespaces() -> Option<Problem> {
    if !shell::is_root() {
        return None;
    }
    let error = shell::output(Command::new("unshare").args(["--net", "true"])).err()?;
    problem(
        format!("a network namespace cannot be made: {error:#}"),
        "See `sysctl user.max_net_namespaces`, and whether a security module or a container forbids it.",
    )
}

/// `bpf_sk_lookup.ingress_ifindex` came with this one; everything else that Weir must have is older.
const MINIMUM_KERNEL: (u32, u32) = (5, 17);
const TESTED: &str = "6.18";

/// Bit numbers are those of linux/capability.h.
const NEEDED_CAPABILITIES: &[(u32, &str)] = &[
    (12, "CAP_NET_ADMIN"),
    (13, "CAP_NET_RAW"),
    (19, "CAP_SYS_PTRACE"),
    (21, "CAP_SYS_ADMIN"),
    (39, "CAP_BPF"),
];
