//! Programs of others in the cgroups above ours.
//!
//! A cgroup can carry a program "that descendants may override" (BPF_F_ALLOW_OVERRIDE). Attaching ours below it makes the
//! kernel take that program out of our subtree without a word: a CNI's socket load balancer would be gone for all pods
//! (capture.md 2.9). And below a program that is attached exclusively the kernel refuses ours with a bare EPERM. Both are said
//! here before anything is attached.

use std::{os::fd::AsFd, path::Path};

use super::{
    error::{BpfError, Context},
    hooks::open_cgroup,
    sys,
};

/// Refuses if attaching a program of this type to `cgroup` would harm, or be refused because of, a program above it.
pub(super) fn check(cgroup: &Path, hook: &'static str, attach_type: u32) -> Result<(), BpfError> {
    for ancestor in cgroup.ancestors() {
        // The mount point's parent is no cgroup: everything that can be seen from here has been looked at.
        let Ok(dir) = open_cgroup(ancestor) else { return Ok(()) };
        let attached = sys::attached(dir.as_fd(), attach_type)
            .on(|| format!("asking for {hook} programs of cgroup {}", ancestor.display()))?;
        if attached.programs.is_empty() || attached.flags & sys::ALLOW_MULTI != 0 {
            continue;
        }
        return Err(BpfError::Neighbour {
            hook,
            cgroup: cgroup.to_owned(),
            ancestor: ancestor.to_owned(),
            programs: attached.programs,
            harm: match attached.flags & sys::ALLOW_OVERRIDE {
                0 => "is attached exclusively, so the kernel allows no other below it",
                _ => "would silently stop to run for all pods",
            },
        });
    }
    Ok(())
}
