//! Being told by the kernel that a directory entry changed.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use super::trail::Trail;

/// Watches on the directories of a trail.
pub(super) struct Watches {
    kernel: AsyncFd<OwnedFd>,
    names: HashMap<i32, (PathBuf, BTreeSet<OsString>)>,
}

impl Watches {
    pub(super) fn new(trail: &Trail) -> io::Result<Self> {
        let kernel = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let mut names = HashMap::new();
        for (dir, entries) in trail {
            match inotify::add_watch(&kernel, dir, interests()) {
                Ok(watch) => drop(names.insert(watch, (dir.clone(), entries.clone()))),
                // It went away since the trail was walked; the entry above it is watched or the next round sees it.
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        #[expect(
            deprecated,
            reason = "the other way needs unsafe; an OwnedFd that nobody else has is what both ask for"
        )]
        let kernel = AsyncFd::new(kernel)?;
        Ok(Self { kernel, names })
    }

    /// Waits until one of the entries may mean something else.
    pub(super) async fn changed(&self) -> io::Result<()> {
        loop {
            let mut ready = self.kernel.readable().await?;
            if self.drain()? {
                return Ok(());
            }
            ready.clear_ready();
        }
    }

    /// Takes all that the kernel has to say; whether any of it matters.
    fn drain(&self) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(self.kernel.get_ref(), &mut buffer);
        let mut matters = false;
        loop {
            match events.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                    matters |= self.matters(event.wd(), event.events(), name);
                }
                Err(Errno::WOULDBLOCK) => return Ok(matters),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn matters(&self, watch: i32, what: ReadFlags, name: Option<&OsStr>) -> bool {
        // Without a name it is about the directory itself, or about events that were lost.
        let (Some(name), Some((dir, entries))) = (name, self.names.get(&watch)) else { return true };
        entries.contains(name) && (!what.contains(ReadFlags::CREATE) || is_complete(&dir.join(name)))
    }
}

/// Not IN_MODIFY: half-written is not worth a look, the writer's close is.
fn interests() -> WatchFlags {
    WatchFlags::CREATE
        | WatchFlags::CLOSE_WRITE
        | WatchFlags::MOVE
        | WatchFlags::DELETE
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF
        | WatchFlags::ONLYDIR
}

/// A new regular file has no content yet, and its close will be told; a link or a directory is what it is.
fn is_complete(path: &Path) -> bool {
    std::fs::symlink_metadata(path).map_or(true, |found| !found.is_file() || found.nlink() > 1)
}
