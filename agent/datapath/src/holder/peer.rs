//! Who is at the other end of a Unix socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// The effective user id of the process that connected, in this process's user namespace (`SO_PEERCRED`, unix(7)).
///
/// Not by rustix: it takes the process id, too, for one that is never 0. The kernel says 0 where the peer's process is not
/// in our PID namespace, and so it is on Kubernetes: the agent is in the node's, the holder in one of its own.
pub(super) fn peer_user(socket: impl AsFd) -> io::Result<u32> {
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).map_err(io::Error::other)?;
    // SAFETY: the kernel writes at most `length` bytes, which is the size of `peer`.
    let done = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(peer.uid)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn the_user_is_known_across_pid_namespaces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        // In the child's PID namespace this process has no number.
        let mut child = Command::new("unshare")
            .args(["--pid", "--fork", "--kill-child"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "holder::peer::tests::listener_of_another_pid_namespace", "--ignored"])
            .env(SOCKET, &path)
            .spawn()
            .unwrap();
        let begin = Instant::now();
        let _open = loop {
            match UnixStream::connect(&path) {
                Ok(stream) => break stream,
                Err(error) => assert!(begin.elapsed() < Duration::from_secs(20), "no listener: {error}"),
            }
            std::thread::yield_now();
        };
        assert!(child.wait().unwrap().success());
    }

    #[test]
    #[ignore = "the other half of the test above"]
    fn listener_of_another_pid_namespace() {
        let listener = UnixListener::bind(std::env::var_os(SOCKET).expect("started by the test")).unwrap();
        let (stream, _) = listener.accept().unwrap();
        assert_eq!(peer_user(&stream).unwrap(), rustix::process::geteuid().as_raw());
    }

    const SOCKET: &str = "WEIR_TEST_SOCKET";
}
