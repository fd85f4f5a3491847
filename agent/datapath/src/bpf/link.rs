//! A BPF link: the attachment of one program to one cgroup or network namespace.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::Path,
};

use super::{
    error::{BpfError, Context},
    sys::{self, LinkInfo, LinkTarget},
};

/// Lives as long as this value or a pin of it; the last one to go detaches the program.
#[derive(Debug)]
pub(super) struct Link(OwnedFd);

impl Link {
    pub(super) fn create(
        what: &str,
        program: BorrowedFd<'_>,
        target: BorrowedFd<'_>,
        attach_type: u32,
    ) -> Result<Self, BpfError> {
        sys::link_create(program, target, attach_type).on(|| format!("attaching {what}")).map(Self)
    }

    /// The pinned link, or nothing.
    pub(super) fn open(pin: &Path) -> Result<Option<Self>, BpfError> {
        match sys::open_pin(pin) {
            Ok(fd) => Ok(Some(Self(fd))),
            Err(error) if error.errno() == libc::ENOENT => Ok(None),
            Err(error) => Err(error).on(|| format!("opening the pinned link {}", pin.display())),
        }
    }

    pub(super) fn info(&self) -> Result<LinkInfo, BpfError> {
        sys::link_info(self.0.as_fd()).on(|| "asking for a link".to_owned())
    }

    /// Runs `program` from now on, without a gap.
    pub(super) fn update(&self, what: &str, program: BorrowedFd<'_>) -> Result<(), BpfError> {
        sys::link_update(self.0.as_fd(), program).on(|| format!("replacing the program of {what}"))
    }

    pub(super) fn detach(&self, what: &str) -> Result<(), BpfError> {
        sys::link_detach(self.0.as_fd()).on(|| format!("detaching {what}"))
    }

    /// Pins it at `path`, over what may be pinned there: the other link stays attached until then.
    pub(super) fn pin(&self, path: &Path) -> Result<(), BpfError> {
        match std::fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(BpfError::File { action: "remove", path: path.to_owned(), source });
            }
            _ => {}
        }
        sys::pin(self.0.as_fd(), path).on(|| format!("pinning {}", path.display()))
    }

    pub(super) fn is_on(&self, target: LinkTarget) -> Result<bool, BpfError> {
        Ok(self.info()?.target == target)
    }
}

/// Inode of an open directory or namespace.
pub(super) fn inode(file: &std::fs::File, path: &Path) -> Result<u64, BpfError> {
    Ok(file
        .metadata()
        .map_err(|source| BpfError::File { action: "stat", path: path.to_owned(), source })?
        .ino())
}
