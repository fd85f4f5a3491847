//! The sysctls of an enrolled pod: set, checked, and given back.
//!
//! `/proc/sys/net` shows the namespace of the thread that opens the file, so everything here runs inside [`crate::netns::Netns::run`].

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use crate::error::DatapathError;
use crate::layout::BACKLOG;

/// A sysctl that the data path needs, below `/proc/sys/net`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Needed {
    path: &'static str,
    want: Want,
    /// Without the file: an error, or a kernel without that part (no IPv6).
    optional: bool,
    /// What breaks without it.
    why: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Exactly(i64),
    AtLeast(i64),
}

/// Values from before the enrolment, by path; what was right already is not in it.
pub(crate) type Saved = BTreeMap<String, String>;

/// Path and current value of everything that is not as needed.
pub(crate) fn wrong() -> Result<Saved, DatapathError> {
    let mut wrong = Saved::new();
    for needed in &NEEDED {
        if let Some(current) = read(needed)?.filter(|current| needed.want.correction(current).is_some()) {
            wrong.insert(needed.path.to_owned(), current);
        }
    }
    Ok(wrong)
}

/// Sets what is not as needed and returns what was changed. The caller has put [`wrong`] on disk before: a kill in between loses nothing.
pub(crate) fn apply() -> Result<Vec<String>, DatapathError> {
    let mut changed = Vec::new();
    for needed in &NEEDED {
        if let Some(value) = read(needed)?.and_then(|current| needed.want.correction(&current)) {
            write(needed.path, &value)?;
            tracing::debug!(sysctl = needed.path, value, why = needed.why, "set");
            changed.push(format!("sysctl net/{} = {value}", needed.path));
        }
    }
    Ok(changed)
}

/// Gives back the values in `saved`, except where somebody has changed ours since. All are tried; the first error is returned.
pub(crate) fn restore(saved: &Saved) -> Result<(), DatapathError> {
    let mut result = Ok(());
    for needed in &NEEDED {
        let Some(original) = saved.get(needed.path) else {
            continue;
        };
        let ours = read(needed).ok().flatten().is_some_and(|current| needed.want.is_ours(&current));
        if ours {
            result = result.and(write(needed.path, original));
        }
    }
    result
}

/// True if IPv6 works on the loopback device of the calling thread's namespace: without it nothing can be delivered over lo.
pub(crate) fn ipv6_on_loopback() -> bool {
    let disabled = std::fs::read_to_string("/proc/sys/net/ipv6/conf/lo/disable_ipv6");
    disabled.is_ok_and(|value| value.trim() == "0")
}

impl Want {
    /// The value to write, if `current` will not do. A value that is not a number is replaced too.
    fn correction(self, current: &str) -> Option<String> {
        let current: Option<i64> = current.parse().ok();
        match self {
            Self::Exactly(value) => (current != Some(value)).then(|| value.to_string()),
            Self::AtLeast(value) => current.is_none_or(|current| current < value).then(|| value.to_string()),
        }
    }

    /// `current` is what we would have written.
    fn is_ours(self, current: &str) -> bool {
        let (Self::Exactly(value) | Self::AtLeast(value)) = self;
        current.parse() == Ok(value)
    }
}

fn read(needed: &Needed) -> Result<Option<String>, DatapathError> {
    let path = file(needed.path);
    match std::fs::read_to_string(&path) {
        Ok(value) => Ok(Some(value.trim().to_owned())),
        Err(error) if needed.optional && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DatapathError::Sysctl { path, action: "read", source }),
    }
}

fn write(path: &str, value: &str) -> Result<(), DatapathError> {
    let file = file(path);
    let written = match std::fs::write(&file, value) {
        Err(error) if error.kind() == std::io::ErrorKind::ReadOnlyFilesystem => {
            write_in_own_proc(path, value)
        }
        other => other,
    };
    written.map_err(|source| DatapathError::Sysctl { path: file, action: "write", source })
}

/// Container runtimes mount `/proc/sys` read-only unless a container is privileged, whatever capabilities it has. Who has CAP_SYS_ADMIN
/// may mount a procfs of its own; this one is mounted nowhere, and gone with its descriptor.
fn write_in_own_proc(path: &str, value: &str) -> std::io::Result<()> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let proc = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    let file = openat(&proc, format!("sys/net/{path}"), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    std::fs::File::from(file).write_all(value.as_bytes())
}

fn file(path: &str) -> PathBuf {
    Path::new("/proc/sys/net").join(path)
}

const NEEDED: [Needed; 5] = [
    Needed {
        path: "ipv4/tcp_fwmark_accept",
        want: Want::Exactly(1),
        optional: false,
        why: "the app's accepted socket must carry the mark, or its replies to the delivery leave by eth0 (covers IPv6 too)",
    },
    Needed {
        path: "ipv4/fwmark_reflect",
        want: Want::Exactly(1),
        optional: false,
        why: "the RST of a closed port must go back over lo, or the delivery times out",
    },
    Needed { path: "ipv6/fwmark_reflect", want: Want::Exactly(1), optional: true, why: "as for IPv4" },
    Needed {
        path: "ipv4/tcp_migrate_req",
        want: Want::Exactly(1),
        optional: false,
        why: "connections queued on a listener that closes move to the other one of its group",
    },
    Needed {
        path: "core/somaxconn",
        want: Want::AtLeast(BACKLOG as i64),
        optional: false,
        why: "a burst of connections waits in the queue",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrections() {
        for (want, current, written) in [
            (Want::Exactly(1), "0", Some("1")),
            (Want::Exactly(1), "1", None),
            (Want::Exactly(1), "garbage", Some("1")),
            (Want::AtLeast(4096), "128", Some("4096")),
            (Want::AtLeast(4096), "4096", None),
            (Want::AtLeast(4096), "65535", None),
        ] {
            assert_eq!(want.correction(current).as_deref(), written, "{want:?} {current}");
        }
    }

    #[test]
    fn only_our_own_value_is_given_back() {
        assert!(Want::Exactly(1).is_ours("1"));
        assert!(!Want::Exactly(1).is_ours("0"));
        assert!(!Want::AtLeast(4096).is_ours("8192"), "somebody raised it since");
    }

    #[test]
    fn a_procfs_that_is_mounted_nowhere_is_that_of_the_namespace() {
        let scratch = crate::scratch::Scratch::new().expect("root");
        let written = scratch.pod.run(|| {
            write_in_own_proc("core/somaxconn", "1234")?;
            std::fs::read_to_string("/proc/sys/net/core/somaxconn")
        });
        assert_eq!(written.unwrap().unwrap().trim(), "1234");
        let here = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        assert_ne!(here.trim(), "1234", "the namespace of the thread, not ours");
    }

    #[test]
    fn every_entry_says_why() {
        assert!(NEEDED.iter().all(|needed| !needed.why.is_empty() && !needed.path.starts_with('/')));
    }
}
