//! The protocol between agent and holder: one datagram per message, plain text, descriptors beside it.
//!
//! ```text
//!   keep COOKIE SLOT...     + one descriptor per slot      -> ok
//!   take COOKIE             -> held SLOT... + descriptors (as often as needed), then ok
//!   forget COOKIE [SLOT...] -> ok                          (no slot: the whole pod)
//! ```

use std::fmt::Write as _;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Most descriptors in one message (the kernel's limit is 253).
pub(super) const CHUNK: usize = 64;
const TEXT: usize = 4096;

/// What one side says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// Hold these slots' sockets, in the order of the descriptors.
    Keep { cookie: u64, slots: Vec<u32> },
    /// Give me what you hold of this pod.
    Take { cookie: u64 },
    /// Let these slots go; none named: all of the pod.
    Forget { cookie: u64, slots: Vec<u32> },
    /// The sockets of these slots are with this message.
    Held { slots: Vec<u32> },
    /// Done.
    Ok,
}

impl Message {
    /// As it goes over the socket.
    pub(super) fn render(&self) -> String {
        let (mut text, slots) = match self {
            Self::Keep { cookie, slots } => (format!("keep {cookie}"), slots.as_slice()),
            Self::Take { cookie } => (format!("take {cookie}"), &[][..]),
            Self::Forget { cookie, slots } => (format!("forget {cookie}"), slots.as_slice()),
            Self::Held { slots } => ("held".to_owned(), slots.as_slice()),
            Self::Ok => ("ok".to_owned(), &[][..]),
        };
        for slot in slots {
            let _ = write!(text, " {slot}");
        }
        text
    }

    /// `None` if it is not a message of this protocol.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let verb = words.next()?;
        let cookie =
            if matches!(verb, "keep" | "take" | "forget") { words.next()?.parse().ok()? } else { 0 };
        let slots = words.map(|word| word.parse().ok()).collect::<Option<Vec<u32>>>()?;
        Some(match verb {
            "keep" => Self::Keep { cookie, slots },
            "take" if slots.is_empty() => Self::Take { cookie },
            "forget" => Self::Forget { cookie, slots },
            "held" => Self::Held { slots },
            "ok" if slots.is_empty() => Self::Ok,
            _ => return None,
        })
    }
}

/// Sends a message with at most [`CHUNK`] descriptors.
pub(super) fn send(socket: impl AsFd, message: &Message, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let text = message.render();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(CHUNK))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors for one message"));
    }
    sendmsg(socket, &[IoSlice::new(text.as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives a message; `None` when the other side is gone. A message that is cut or not understood is an error.
pub(super) fn receive(socket: impl AsFd) -> io::Result<Option<(Message, Vec<OwnedFd>)>> {
    let mut text = [0; TEXT];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(CHUNK))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for ancillary in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = ancillary {
            descriptors.extend(rights);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    let whole = !received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    let text = text.get(..received.bytes).filter(|_| whole).and_then(|text| std::str::from_utf8(text).ok());
    let message = text.and_then(Message::parse);
    let message = message.ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "not a message of the holder's protocol")
    })?;
    Ok(Some((message, descriptors)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for message in [
            Message::Keep { cookie: 7, slots: vec![0, 16, 271] },
            Message::Take { cookie: u64::MAX },
            Message::Forget { cookie: 7, slots: vec![] },
            Message::Forget { cookie: 7, slots: vec![3] },
            Message::Held { slots: vec![1] },
            Message::Ok,
        ] {
            assert_eq!(Message::parse(&message.render()), Some(message));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in
            ["", "ok 1", "take", "take x", "take 1 2", "keep 1 -1", "keep 1 4294967296", "drop 1", "keep  1"]
        {
            assert_eq!(Message::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_longest_message_fits() {
        let slots = (0..CHUNK as u32).map(|slot| u32::MAX - slot).collect();
        assert!(Message::Keep { cookie: u64::MAX, slots }.render().len() <= TEXT);
    }
}
