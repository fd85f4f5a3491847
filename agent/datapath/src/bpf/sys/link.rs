//! Links: what keeps a program attached.

use std::os::fd::{BorrowedFd, OwnedFd};

use super::{Result, call, call_mut, info, new_fd, number};

/// What the kernel says of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bpf) struct LinkInfo {
    pub(in crate::bpf) id: u32,
    pub(in crate::bpf) program: u32,
    pub(in crate::bpf) target: LinkTarget,
}

/// Where a link is attached; an id of 0 means that it is not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bpf) enum LinkTarget {
    Cgroup { id: u64, attach_type: u32 },
    Netns { ino: u32, attach_type: u32 },
    Other,
}

/// BPF_LINK_CREATE; the link lives as long as the fd or a pin of it.
pub(in crate::bpf) fn link_create(
    program: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    attach_type: u32,
) -> Result<OwnedFd> {
    #[repr(C)]
    struct Request {
        program: u32,
        target: u32,
        attach_type: u32,
        flags: u32,
    }
    let request = Request { program: number(program), target: number(target), attach_type, flags: 0 };
    new_fd("LINK_CREATE", 28, request)
}

/// BPF_LINK_UPDATE: swaps the program without a gap. The kernel compares the program type only, the caller must compare
/// the attach type.
pub(in crate::bpf) fn link_update(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<()> {
    #[repr(C)]
    struct Request {
        link: u32,
        program: u32,
        flags: u32,
        old_program: u32,
    }
    call(
        "LINK_UPDATE",
        29,
        Request { link: number(link), program: number(program), flags: 0, old_program: 0 },
    )
    .map(drop)
}

/// BPF_LINK_DETACH: the link stays as an object, attached to nothing.
pub(in crate::bpf) fn link_detach(link: BorrowedFd<'_>) -> Result<()> {
    call("LINK_DETACH", 34, number(link)).map(drop)
}

/// BPF_OBJ_GET_INFO_BY_FD of a link.
pub(in crate::bpf) fn link_info(link: BorrowedFd<'_>) -> Result<LinkInfo> {
    /// `struct bpf_link_info` up to the fields of cgroup and netns links.
    #[repr(C, align(8))]
    #[derive(Clone, Copy, Default)]
    struct Info {
        kind: u32,
        id: u32,
        program: u32,
        pad: u32,
        words: [u32; 4],
    }
    const CGROUP: u32 = 3;
    const NETNS: u32 = 5;
    let info: Info = info(link, Info::default())?;
    let [a, b, c, _] = info.words;
    let target = match info.kind {
        CGROUP => LinkTarget::Cgroup { id: u64::from(a) | (u64::from(b) << 32), attach_type: c },
        NETNS => LinkTarget::Netns { ino: a, attach_type: b },
        _ => LinkTarget::Other,
    };
    Ok(LinkInfo { id: info.id, program: info.program, target })
}

/// BPF_LINK_GET_FD_BY_ID; needs CAP_SYS_ADMIN.
pub(in crate::bpf) fn link_by_id(id: u32) -> Result<OwnedFd> {
    new_fd("LINK_GET_FD_BY_ID", 30, [id, 0, 0])
}

/// BPF_LINK_GET_NEXT_ID: the ids of all links of the host, one after the other.
pub(in crate::bpf) fn link_ids() -> impl Iterator<Item = u32> {
    std::iter::successors(next_link(0), |id| next_link(*id))
}

fn next_link(after: u32) -> Option<u32> {
    let mut request = [after, 0, 0];
    call_mut("LINK_GET_NEXT_ID", 31, &mut request).ok()?;
    Some(request[1])
}
