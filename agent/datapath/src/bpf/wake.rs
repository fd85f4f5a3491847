//! Waiting for a ring buffer, and being called away from it.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, poll},
    io::Errno,
};

/// Why `wait` returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// There is something to read.
    Readable,
    /// Somebody called `wake_up`.
    Called,
    /// The kernel does not let us wait; going on would spin.
    Failed,
}

/// The fd that `wake_up` and `wait` meet at.
pub(crate) fn eventfd() -> std::io::Result<OwnedFd> {
    Ok(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

/// Blocks until the ring has data or somebody calls. A call is told once.
pub(crate) fn wait(ring: BorrowedFd<'_>, wake: &OwnedFd) -> Wake {
    loop {
        let mut fds = [PollFd::from_borrowed_fd(ring, PollFlags::IN), PollFd::new(wake, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(Errno::INTR) => {}
            Err(_) => return Wake::Failed,
            Ok(_) if fds[1].revents().is_empty() => return Wake::Readable,
            Ok(_) => {
                let mut count = [0; 8];
                return rustix::io::read(wake, &mut count).map_or(Wake::Failed, |_| Wake::Called);
            }
        }
    }
}

/// Ends the `wait` of the other thread, now or when it comes to it.
pub(crate) fn wake_up(wake: &OwnedFd) {
    // It can fail only when the counter is full, and then the other side is awake already.
    let _ = rustix::io::write(wake, &1_u64.to_ne_bytes());
}
