//! The bpf(2) calls that aya does not make: links by fd, program queries, raw map access.
//!
//! Each command has its own request type with the fields of `union bpf_attr` (include/uapi/linux/bpf.h) that it reads;
//! the kernel takes the missing rest as zero.

use std::{
    ffi::CString,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use super::error::SyscallError;

pub(super) mod attach {
    //! `enum bpf_attach_type`.
    pub(crate) const SOCK_OPS: u32 = 3;
    pub(crate) const BIND4: u32 = 8;
    pub(crate) const BIND6: u32 = 9;
    pub(crate) const CONNECT4: u32 = 10;
    pub(crate) const CONNECT6: u32 = 11;
    pub(crate) const SK_LOOKUP: u32 = 36;
}

type Result<T> = std::result::Result<T, SyscallError>;

/// What the kernel says of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkInfo {
    pub(super) id: u32,
    pub(super) program: u32,
    pub(super) target: LinkTarget,
}

/// Where a link is attached; an id of 0 means that it is not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkTarget {
    Cgroup { id: u64, attach_type: u32 },
    Netns { ino: u32, attach_type: u32 },
    Other,
}

/// BPF_LINK_CREATE; the link lives as long as the fd or a pin of it.
pub(super) fn link_create(
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
pub(super) fn link_update(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<()> {
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
pub(super) fn link_detach(link: BorrowedFd<'_>) -> Result<()> {
    call("LINK_DETACH", 34, number(link)).map(drop)
}

/// BPF_OBJ_GET_INFO_BY_FD of a link.
pub(super) fn link_info(link: BorrowedFd<'_>) -> Result<LinkInfo> {
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

/// Id and name (15 characters) of a program.
pub(super) fn program_info(program: BorrowedFd<'_>) -> Result<(u32, String)> {
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
pub(super) fn program_by_id(id: u32) -> Result<OwnedFd> {
    new_fd("PROG_GET_FD_BY_ID", 13, [id, 0, 0])
}

/// BPF_LINK_GET_FD_BY_ID; needs CAP_SYS_ADMIN.
pub(super) fn link_by_id(id: u32) -> Result<OwnedFd> {
    new_fd("LINK_GET_FD_BY_ID", 30, [id, 0, 0])
}

/// BPF_LINK_GET_NEXT_ID: the ids of all links of the host, one after the other.
pub(super) fn link_ids() -> impl Iterator<Item = u32> {
    std::iter::successors(next_link(0), |id| next_link(*id))
}

fn next_link(after: u32) -> Option<u32> {
    let mut request = [after, 0, 0];
    call_mut("LINK_GET_NEXT_ID", 31, &mut request).ok()?;
    Some(request[1])
}

/// What is attached to one cgroup or namespace.
pub(super) struct Attached {
    /// Ids.
    pub(super) programs: Vec<u32>,
    /// `ALLOW_OVERRIDE`, `ALLOW_MULTI`, or 0 for an exclusive program.
    pub(super) flags: u32,
}

/// BPF_F_ALLOW_OVERRIDE of `include/uapi/linux/bpf.h`.
pub(super) const ALLOW_OVERRIDE: u32 = 1;
/// BPF_F_ALLOW_MULTI of the same; what is attached by a link always has it.
pub(super) const ALLOW_MULTI: u32 = 2;

/// BPF_PROG_QUERY: ids of the programs attached to this very cgroup or namespace.
pub(super) fn attached_programs(target: BorrowedFd<'_>, attach_type: u32) -> Result<Vec<u32>> {
    Ok(attached(target, attach_type)?.programs)
}

/// BPF_PROG_QUERY of this very cgroup or namespace.
pub(super) fn attached(target: BorrowedFd<'_>, attach_type: u32) -> Result<Attached> {
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
pub(super) fn attach_as_others_do(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    attach_type: u32,
    flags: u32,
) -> Result<()> {
    call("PROG_ATTACH", 8, [number(cgroup), number(program), attach_type, flags]).map(drop)
}

/// BPF_PROG_DETACH.
#[cfg(test)]
pub(super) fn detach_as_others_do(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    attach_type: u32,
) -> Result<()> {
    call("PROG_DETACH", 9, [number(cgroup), number(program), attach_type, 0]).map(drop)
}

/// BPF_OBJ_PIN.
pub(super) fn pin(object: BorrowedFd<'_>, path: &Path) -> Result<()> {
    path_call("OBJ_PIN", 6, path, number(object)).map(drop)
}

/// BPF_OBJ_GET.
pub(super) fn open_pin(path: &Path) -> Result<OwnedFd> {
    let fd = path_call("OBJ_GET", 7, path, 0)?;
    // SAFETY: the kernel made this fd for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// BPF_RAW_TRACEPOINT_OPEN of a tp_btf program, which knows its tracepoint itself.
pub(super) fn tracepoint_open(program: BorrowedFd<'_>) -> Result<OwnedFd> {
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
pub(super) fn run_sk_lookup(program: BorrowedFd<'_>, context: &[u32; 18]) -> Result<(u32, u64)> {
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

/// Key and value of a map call. The pointers must be good for the map's key and value sizes.
#[repr(C)]
pub(super) struct Element {
    map: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

impl Element {
    pub(super) fn new(map: BorrowedFd<'_>, key: *const u8, value: *const u8) -> Self {
        Self { map: number(map), pad: 0, key: key as u64, value: value as u64, flags: 0 }
    }
}

/// BPF_MAP_LOOKUP_ELEM; `false` when the key is not there.
///
/// # Safety
/// `element` points to a key and to writable space of the map's value size.
pub(super) unsafe fn map_lookup(element: Element) -> Result<bool> {
    found(call("MAP_LOOKUP_ELEM", 1, element))
}

/// BPF_MAP_UPDATE_ELEM.
///
/// # Safety
/// `element` points to a key and a value of the map's sizes.
pub(super) unsafe fn map_update(element: Element) -> Result<()> {
    call("MAP_UPDATE_ELEM", 2, element).map(drop)
}

/// BPF_MAP_DELETE_ELEM; `false` when the key is not there.
///
/// # Safety
/// `element` points to a key of the map's size.
pub(super) unsafe fn map_delete(element: Element) -> Result<bool> {
    found(call("MAP_DELETE_ELEM", 3, element))
}

/// BPF_MAP_GET_NEXT_KEY into the value; `false` at the end. A null key asks for the first one.
///
/// # Safety
/// `element` points to a key or null, and to writable space of the map's key size.
pub(super) unsafe fn map_next_key(element: Element) -> Result<bool> {
    found(call("MAP_GET_NEXT_KEY", 4, element))
}

fn found(result: Result<i32>) -> Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.errno() == libc::ENOENT => Ok(false),
        Err(error) => Err(error),
    }
}

/// BPF_OBJ_GET_INFO_BY_FD into `T`, which begins like the kernel's structure; the kernel fills as much as fits.
fn info<T: Copy>(object: BorrowedFd<'_>, mut into: T) -> Result<T> {
    #[repr(C)]
    struct Request {
        object: u32,
        size: u32,
        info: u64,
    }
    let request =
        Request { object: number(object), size: size_of::<T>() as u32, info: (&raw mut into) as u64 };
    call("OBJ_GET_INFO_BY_FD", 15, request)?;
    Ok(into)
}

fn path_call(name: &'static str, command: i32, path: &Path, object: u32) -> Result<i32> {
    #[repr(C)]
    struct Request {
        path: u64,
        object: u32,
        flags: u32,
    }
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|error| SyscallError {
        call: name,
        source: io::Error::new(io::ErrorKind::InvalidInput, error),
    })?;
    call(name, command, Request { path: path.as_ptr() as u64, object, flags: 0 })
}

fn new_fd<T>(name: &'static str, command: i32, request: T) -> Result<OwnedFd> {
    let fd = call(name, command, request)?;
    // SAFETY: a successful call of these commands returns a new fd, which is ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn call<T>(name: &'static str, command: i32, mut request: T) -> Result<i32> {
    call_mut(name, command, &mut request)
}

fn call_mut<T>(name: &'static str, command: i32, request: &mut T) -> Result<i32> {
    loop {
        // SAFETY: the request is initialised and as long as we say; what it points to is upheld by the callers above.
        let result =
            unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(request), size_of::<T>()) };
        if result >= 0 {
            return Ok(result as i32);
        }
        let source = io::Error::last_os_error();
        // A signal during a test run.
        if !matches!(source.raw_os_error(), Some(libc::EINTR | libc::EAGAIN)) {
            return Err(SyscallError { call: name, source });
        }
    }
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_fd().as_raw_fd() as u32
}
