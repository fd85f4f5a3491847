//! The holder's process: one thread, one poll loop.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockAddr, Socket, Type};

use super::message::{self, CHUNK, Message};
use super::peer::peer_user;
use super::store::{Answer, Store};
use crate::error::{DatapathError, Result};

/// Serves agents on the Unix socket `path` until `stop` says so, which is asked every second; what it holds is closed with it, and the socket
/// goes.
pub fn hold(path: &Path, stop: impl Fn() -> bool) -> Result<()> {
    let listener = listen(path).map_err(DatapathError::system(format!("listen on {}", path.display())))?;
    tracing::info!(socket = %path.display(), "holding listeners for agents");
    serve(&listener, FORGET_AFTER, stop).map_err(DatapathError::system("serve agents"))?;
    // A holder that came meanwhile has another one there.
    drop(listener);
    if !is_served(path).unwrap_or(false) {
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// The loop of [`hold`]. `forget_after` without an agent all is let go; it ends when `stop` says so (tests).
pub(super) fn serve(listener: &Socket, forget_after: Duration, stop: impl Fn() -> bool) -> io::Result<()> {
    let mut store = Store::default();
    let mut agents: Vec<Socket> = Vec::new();
    let mut alone_since = Some(Instant::now());
    while !stop() {
        let ready = wait(listener, &agents)?;
        if ready.first() == Some(&true)
            && let Ok((agent, _)) = listener.accept()
            && is_us(&agent)
        {
            agents.push(agent);
        }
        let mut speaks = ready.into_iter().skip(1);
        agents.retain(|agent| !speaks.next().unwrap_or(false) || answer(agent, &mut store));
        alone_since = if agents.is_empty() { alone_since.or_else(|| Some(Instant::now())) } else { None };
        if alone_since.is_some_and(|since| since.elapsed() >= forget_after) {
            let pods = store.clear();
            if pods > 0 {
                tracing::warn!(
                    pods,
                    "no agent has come for {forget_after:?}: letting the pods' listeners go"
                );
            }
        }
    }
    Ok(())
}

/// Makes the socket, in place of one whose holder is gone. Only our own user may connect.
pub(super) fn listen(path: &Path) -> io::Result<Socket> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    if is_served(path)? {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another holder serves there"));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
    listener.bind(&SockAddr::unix(path)?)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listener.listen(16)?;
    Ok(listener)
}

/// Whether a holder listens there.
fn is_served(path: &Path) -> io::Result<bool> {
    let address = SockAddr::unix(path)?;
    Ok(Socket::new(Domain::UNIX, Type::SEQPACKET, None)?.connect(&address).is_ok())
}

/// Which of listener and agents have something, after at most a second.
fn wait(listener: &Socket, agents: &[Socket]) -> io::Result<Vec<bool>> {
    let second = Timespec { tv_sec: 1, tv_nsec: 0 };
    let mut polled: Vec<PollFd<'_>> =
        std::iter::once(listener).chain(agents).map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
    match poll(&mut polled, Some(&second)) {
        Err(rustix::io::Errno::INTR) => Ok(vec![false; polled.len()]),
        other => {
            other?;
            Ok(polled.iter().map(|poll| !poll.revents().is_empty()).collect())
        }
    }
}

fn is_us(agent: &Socket) -> bool {
    peer_user(agent).is_ok_and(|user| user == rustix::process::geteuid().as_raw())
}

/// Answers one message; false if the agent is gone or does not speak the protocol.
fn answer(agent: &Socket, store: &mut Store<OwnedFd>) -> bool {
    let Ok(Some((message, descriptors))) = message::receive(agent) else { return false };
    let answered = match store.apply(message, descriptors) {
        Answer::HangUp => return false,
        Answer::Ok => Ok(()),
        Answer::Held(held) => held.chunks(CHUNK).try_for_each(|portion| {
            let slots = portion.iter().map(|(slot, _)| *slot).collect();
            let descriptors: Vec<_> = portion.iter().map(|(_, descriptor)| descriptor.as_fd()).collect();
            message::send(agent, &Message::Held { slots }, &descriptors)
        }),
    };
    answered.and_then(|()| message::send(agent, &Message::Ok, &[])).is_ok()
}

/// A held listener keeps a deleted pod's namespace alive, so this is not for ever.
const FORGET_AFTER: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ends_takes_the_socket_away_unless_it_is_anothers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("holder.sock");
        hold(&path, || true).unwrap();
        assert!(!path.exists());
        let mut successor = None;
        let came = std::cell::RefCell::new(&mut successor);
        hold(&path, || {
            std::fs::remove_file(&path).unwrap();
            **came.borrow_mut() = Some(listen(&path).unwrap());
            true
        })
        .unwrap();
        assert!(path.exists());
    }
}
