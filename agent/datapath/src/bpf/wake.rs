//! Waiting for a ring buffer with a way to stop.

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
    /// Somebody called `signal`.
    Stop,
}

/// The fd that `signal` and `wait` meet at.
pub(crate) fn eventfd() -> std::io::Result<OwnedFd> {
    Ok(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

/// Blocks until the ring has data or somebody signals.
pub(crate) fn wait(ring: BorrowedFd<'_>, stop: &OwnedFd) -> Wake {
    loop {
        let mut fds = [PollFd::from_borrowed_fd(ring, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(Errno::INTR) => {}
            Ok(_) if fds[1].revents().is_empty() => return Wake::Readable,
            // A failing poll would spin: the reader ends instead.
            _ => return Wake::Stop,
        }
    }
}

/// Ends the `wait` of the other thread, now or when it comes to it.
pub(crate) fn signal(stop: &OwnedFd) {
    // It can fail only when the counter is full, and then the other side is awake already.
    let _ = rustix::io::write(stop, &1_u64.to_ne_bytes());
}
