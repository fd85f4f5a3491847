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

    /// Pins it at `path`. A link that is pinned there already stays until the moment of the change, and an agent killed
    /// in between leaves one of the two.
    pub(super) fn pin(&self, path: &Path) -> Result<(), BpfError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push("_new");
        let new = path.with_file_name(name);
        let file = |action, path: &Path, source| BpfError::File { action, path: path.to_owned(), source };
        match std::fs::remove_file(&new) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(file("remove", &new, source));
            }
            _ => {}
        }
        sys::pin(self.0.as_fd(), &new).on(|| format!("pinning {}", new.display()))?;
        std::fs::rename(&new, path).map_err(|source| file("replace", path, source))
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
