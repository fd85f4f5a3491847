//! Programs, and what is attached where.

use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

#[cfg(test)]
use super::call;
use super::{Result, call_mut, info, new_fd, number};

pub(in crate::bpf) mod attach {
    //! `enum bpf_attach_type`.
    pub(crate) const SOCK_OPS: u32 = 3;
    pub(crate) const BIND4: u32 = 8;
    pub(crate) const BIND6: u32 = 9;
    pub(crate) const CONNECT4: u32 = 10;
    pub(crate) const CONNECT6: u32 = 11;
    pub(crate) const SK_LOOKUP: u32 = 36;
}

/// Id and name (15 characters) of a program.
pub(in crate::bpf) fn program_info(program: BorrowedFd<'_>) -> Result<(u32, String)> {
    /// `struct bpf_prog_info` up to the name.
    #[repr(C, align(8))]
    #[derive(Clone, Copy)]
    struct Info {
        kind: u32,
        id: u32,
        tag: [u8; 8],
        lengths: [u32; 2],
        instructions: [u64; 2],
        load_time: u64,
        created_by: u32,
        maps: u32,
        map_ids: u64,
        name: [u8; 16],
    }
    // SAFETY: integers only.
    let info: Info = info(program, unsafe { MaybeUninit::zeroed().assume_init() })?;
    let name = info.name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok((info.id, String::from_utf8_lossy(name).into_owned()))
}

/// BPF_PROG_GET_FD_BY_ID; needs CAP_SYS_ADMIN.
pub(in crate::bpf) fn program_by_id(id: u32) -> Result<OwnedFd> {
    new_fd("PROG_GET_FD_BY_ID", 13, [id, 0, 0])
}

/// What is attached to one cgroup or namespace.
pub(in crate::bpf) struct Attached {
    /// Ids.
    pub(in crate::bpf) programs: Vec<u32>,
    /// `ALLOW_OVERRIDE`, `ALLOW_MULTI`, or 0 for an exclusive program.
    pub(in crate::bpf) flags: u32,
}

/// BPF_F_ALLOW_OVERRIDE of `include/uapi/linux/bpf.h`.
pub(in crate::bpf) const ALLOW_OVERRIDE: u32 = 1;

/// BPF_F_ALLOW_MULTI of the same; what is attached by a link always has it.
pub(in crate::bpf) const ALLOW_MULTI: u32 = 2;

/// BPF_PROG_QUERY: ids of the programs attached to this very cgroup or namespace.
pub(in crate::bpf) fn attached_programs(target: BorrowedFd<'_>, attach_type: u32) -> Result<Vec<u32>> {
    Ok(attached(target, attach_type)?.programs)
}

/// BPF_PROG_QUERY of this very cgroup or namespace.
pub(in crate::bpf) fn attached(target: BorrowedFd<'_>, attach_type: u32) -> Result<Attached> {
    #[repr(C)]
    struct Request {
        target: u32,
        attach_type: u32,
        query_flags: u32,
        attach_flags: u32,
        ids: u64,
        count: u32,
        pad: u32,
    }
    let mut ids = [0_u32; 64];
    let mut request = Request {
        target: number(target),
        attach_type,
        query_flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr() as u64,
        count: ids.len() as u32,
        pad: 0,
    };
    call_mut("PROG_QUERY", 16, &mut request)?;
    let programs = ids.into_iter().take(request.count as usize).collect();
    Ok(Attached { programs, flags: request.attach_flags })
}

/// BPF_PROG_ATTACH without a link, as other programs on the node do it.
#[cfg(test)]
pub(in crate::bpf) fn attach_as_others_do(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    attach_type: u32,
    flags: u32,
) -> Result<()> {
    call("PROG_ATTACH", 8, [number(cgroup), number(program), attach_type, flags]).map(drop)
}

/// BPF_PROG_DETACH.
#[cfg(test)]
pub(in crate::bpf) fn detach_as_others_do(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    attach_type: u32,
) -> Result<()> {
    call("PROG_DETACH", 9, [number(cgroup), number(program), attach_type, 0]).map(drop)
}

/// BPF_RAW_TRACEPOINT_OPEN of a tp_btf program, which knows its tracepoint itself.
pub(in crate::bpf) fn tracepoint_open(program: BorrowedFd<'_>) -> Result<OwnedFd> {
    #[repr(C)]
    struct Request {
        name: u64,
        program: u32,
        pad: u32,
    }
    new_fd("RAW_TRACEPOINT_OPEN", 17, Request { name: 0, program: number(program), pad: 0 })
}

/// BPF_PROG_TEST_RUN of a sk_lookup program: its return value, and the cookie of the socket that it assigned (0: none).
#[cfg(test)]
pub(in crate::bpf) fn run_sk_lookup(program: BorrowedFd<'_>, context: &[u32; 18]) -> Result<(u32, u64)> {
    #[repr(C)]
    struct Request {
        program: u32,
        result: u32,
        data_sizes: [u32; 2],
        data: [u64; 2],
        repeat: u32,
        duration: u32,
        context_size_in: u32,
        context_size_out: u32,
        context_in: u64,
        context_out: u64,
    }
    let size = size_of_val(context) as u32;
    let mut out = [0_u32; 18];
    let mut request = Request {
        program: number(program),
        result: 0,
        data_sizes: [0; 2],
        data: [0; 2],
        repeat: 0,
        duration: 0,
        context_size_in: size,
        context_size_out: size,
        context_in: context.as_ptr() as u64,
        context_out: out.as_mut_ptr() as u64,
    };
    call_mut("PROG_TEST_RUN", 10, &mut request)?;
    Ok((request.result, u64::from(out[0]) | (u64::from(out[1]) << 32)))
}
