//! One network namespace, held by file descriptor.
//!
//! Two ways in: [`Netns::run`] moves a fresh thread in and lets it die there (set-up work, cannot go wrong), [`Netns::visit`] moves the
//! calling thread in and back (one socket on a worker, a few microseconds). A thread that could not come back would make every later
//! socket in the wrong pod, so `visit` ends the process instead.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace that stays alive as long as this value.
#[derive(Debug)]
pub(crate) struct Netns {
    fd: OwnedFd,
    cookie: u64,
    inode: Inode,
}

/// The identity of a namespace file. Inode numbers are reused by the kernel once a namespace is gone, so this is good for "is the file
/// at this path still the one that I hold", not for a key: that is the cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Inode {
    /// Device of the nsfs mount.
    pub(crate) device: u64,
    /// Inode number, the `N` of `net:[N]`.
    pub(crate) number: u64,
}

impl Inode {
    /// The identity of whatever lies at `path` now.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        Ok(Self { device: meta.dev(), number: meta.ino() })
    }
}

impl Netns {
    /// Opens the namespace file at `path`, enters it once to prove that it is a network namespace, and reads its cookie.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::from_file(File::open(path)?)
    }

    /// The calling thread's own namespace.
    pub(crate) fn current() -> io::Result<Self> {
        Self::from_file(File::open("/proc/thread-self/ns/net")?)
    }

    /// Takes over an opened namespace file.
    pub(crate) fn from_file(file: File) -> io::Result<Self> {
        let meta = file.metadata()?;
        let inode = Inode { device: meta.dev(), number: meta.ino() };
        let mut netns = Self { fd: file.into(), cookie: 0, inode };
        netns.cookie = netns.run(cookie_of_thread)??;
        Ok(netns)
    }

    /// The kernel's number for this namespace, never reused during one boot (`SO_NETNS_COOKIE`, kernel 5.14).
    pub(crate) fn cookie(&self) -> u64 {
        self.cookie
    }

    /// See [`Inode`].
    pub(crate) fn inode(&self) -> Inode {
        self.inode
    }

    /// A second handle to the same namespace.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { fd: self.fd.try_clone()?, cookie: self.cookie, inode: self.inode })
    }

    /// Runs `work` on a thread of its own inside this namespace and gives back its result.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        std::thread::scope(|scope| {
            let inside = std::thread::Builder::new().name("weir-netns".into()).spawn_scoped(scope, || {
                move_in(self.fd.as_fd())?;
                Ok(work())
            })?;
            match inside.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Runs `work` inside this namespace on the calling thread, which lives in `home`.
    ///
    /// Aborts the process if the thread cannot go back.
    pub(crate) fn visit<T>(&self, home: &Netns, work: impl FnOnce() -> T) -> io::Result<T> {
        move_in(self.fd.as_fd())?;
        let back = Return { home: home.fd.as_fd() };
        let result = work();
        drop(back);
        Ok(result)
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Inode number of a process's network namespace, from the text of the link `net:[N]` below its directory in /proc. Good for comparing
/// with a namespace that is alive.
pub(crate) fn inode_of_process(directory: &Path) -> Option<u64> {
    let link = std::fs::read_link(directory.join("ns/net")).ok()?;
    link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

/// Goes home when dropped, also when the visit panics.
struct Return<'a> {
    home: BorrowedFd<'a>,
}

impl Drop for Return<'_> {
    fn drop(&mut self) {
        if let Err(error) = move_in(self.home) {
            tracing::error!(%error, "a worker thread cannot leave a pod's network namespace; aborting, so that no socket is made in the wrong pod");
            std::process::abort();
        }
    }
}

fn move_in(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(move_into_link_name_space(fd, Some(LinkNameSpaceType::Network))?)
}

/// `SO_NETNS_COOKIE` of a socket made by the calling thread.
fn cookie_of_thread() -> io::Result<u64> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::DGRAM, None)?;
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the option writes one u64 into `cookie`, whose size `length` says; both live through the call.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(cookie)
}
