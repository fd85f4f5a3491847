//! What can go wrong between the agent and the kernel's BPF subsystem, told for the person on call.

use std::{io, path::PathBuf};

use aya::{EbpfError, maps::MapError, programs::ProgramError};

/// Error of the kernel's side of the data path.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BpfError {
    /// A bpf(2) call failed.
    #[error("{what}: {source}")]
    Syscall {
        /// Which artefact.
        what: String,
        /// The call and its errno.
        source: SyscallError,
    },

    /// A map has no room for one more.
    #[error(
        "map {map} is full, it holds {entries} entries: more pods or addresses than Weir takes on one node, or entries of \
         pods that are gone; what was to be added stays out"
    )]
    Full {
        /// Its name.
        map: &'static str,
        /// How many it can hold.
        entries: usize,
    },

    /// A file operation failed.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// `open`, `create`, ...
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// The pins' directory is not on a BPF file system.
    #[error(
        "{path} is not on a BPF file system, so capture could not outlive the agent; mount one (`mount -t bpf bpf \
         /sys/fs/bpf`) or, in a container, mount the host's /sys/fs/bpf as a volume"
    )]
    NotBpffs {
        /// The directory.
        path: PathBuf,
    },

    /// The hooks attach to cgroup v2 only.
    #[error("{path} is not a cgroup v2 directory; look for the mount point of cgroup2 in /proc/mounts")]
    NotCgroup {
        /// The directory.
        path: PathBuf,
    },

    /// A program of somebody else above our cgroup does not go together with ours.
    #[error(
        "{hook} cannot be attached to cgroup {cgroup}: program {programs:?} on {ancestor} {harm}; `bpftool prog show id` tells \
         whose it is, and its owner must attach it with BPF_F_ALLOW_MULTI"
    )]
    Neighbour {
        /// Name of our hook.
        hook: &'static str,
        /// Where ours was to go.
        cgroup: PathBuf,
        /// Where theirs is.
        ancestor: PathBuf,
        /// Theirs, by id.
        programs: Vec<u32>,
        /// What would happen.
        harm: &'static str,
    },

    /// A pinned map was made by something with another idea of its layout.
    #[error(
        "pinned map {path} has {found}, this agent needs {expected}: another version of Weir made it; stop that one, or \
         remove the directory to start fresh (capture ends until pods are enrolled again)"
    )]
    Layout {
        /// The pin.
        path: PathBuf,
        /// Its layout in the kernel.
        found: String,
        /// The layout in our object.
        expected: String,
    },

    /// The kernel or aya refused an object as a whole (maps, BTF, relocation).
    #[error("eBPF object `{object}`: {source}")]
    Object {
        /// `node`, `pod` or `trace`.
        object: &'static str,
        /// Why.
        source: Box<EbpfError>,
    },

    /// The kernel's verifier refused a program. The text holds its log.
    #[error("eBPF program `{program}` of object `{object}`: {source}")]
    Program {
        /// `node`, `pod` or `trace`.
        object: &'static str,
        /// Name of the function.
        program: String,
        /// Why, with the verifier's log.
        source: Box<ProgramError>,
    },

    /// A map could not be opened.
    #[error("eBPF map {map}: {source}")]
    Map {
        /// Its name or pin.
        map: String,
        /// Why.
        source: Box<MapError>,
    },

    /// The object that was built in lacks something: a build from mixed sources.
    #[error(
        "eBPF object `{object}` has no {what} `{name}`; the agent and its eBPF objects are from different builds"
    )]
    Missing {
        /// `node`, `pod` or `trace`.
        object: &'static str,
        /// `map` or `program`.
        what: &'static str,
        /// Name.
        name: String,
    },

    /// The running kernel's type information lacks a field that the tracer reads.
    #[error("kernel BTF (/sys/kernel/btf/vmlinux): {0}")]
    Btf(String),
}

/// A failed bpf(2) call.
#[derive(Debug, thiserror::Error)]
#[error("bpf({call}): {source}")]
pub(crate) struct SyscallError {
    /// Name of the command.
    pub(crate) call: &'static str,
    /// errno.
    pub(crate) source: io::Error,
}

impl SyscallError {
    /// The errno, 0 if there is none.
    pub(super) fn errno(&self) -> i32 {
        self.source.raw_os_error().unwrap_or_default()
    }
}

/// Adds the artefact to a failed call.
pub(super) trait Context<T> {
    fn on(self, what: impl FnOnce() -> String) -> Result<T, BpfError>;
}

impl<T> Context<T> for Result<T, SyscallError> {
    fn on(self, what: impl FnOnce() -> String) -> Result<T, BpfError> {
        self.map_err(|source| BpfError::Syscall { what: what(), source })
    }
}
