//! The bpf(2) calls that aya does not make: links by fd, program queries, raw map access.
//!
//! Each command has its own request type with the fields of `union bpf_attr` (include/uapi/linux/bpf.h) that it reads;
//! the kernel takes the missing rest as zero.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use super::error::SyscallError;

mod link;
mod map;
mod program;

pub(super) use link::{
    LinkInfo, LinkTarget, link_by_id, link_create, link_detach, link_ids, link_info, link_update,
};
pub(super) use map::{Element, map_delete, map_lookup, map_next_key, map_update};
pub(super) use program::{
    ALLOW_MULTI, ALLOW_OVERRIDE, attach, attached, attached_programs, program_by_id, program_info,
    tracepoint_open,
};
#[cfg(test)]
pub(super) use program::{attach_as_others_do, detach_as_others_do, run_sk_lookup};

type Result<T> = std::result::Result<T, SyscallError>;

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
