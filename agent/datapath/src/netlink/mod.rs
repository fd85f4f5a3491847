//! A blocking rtnetlink socket in one namespace.
//!
//! The requests here are few and answered by the kernel at once, so a plain socket and a read loop are simpler than a connection task
//! per pod. The socket belongs to the namespace that it was made in; any thread may use it later.

mod address;
mod route;
mod rule;
pub(crate) mod veth;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

pub(crate) use route::{LocalRoute, RouteKind};
pub(crate) use rule::{Rule, RuleKind};

/// An IP family, as the routing tables are split by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address; a v4-mapped address counts as IPv6, callers canonicalise first.
    pub(crate) fn of(ip: std::net::IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    fn netlink(self) -> AddressFamily {
        match self {
            Self::V4 => AddressFamily::Inet,
            Self::V6 => AddressFamily::Inet6,
        }
    }

    fn from_netlink(family: AddressFamily) -> Option<Self> {
        match family {
            AddressFamily::Inet => Some(Self::V4),
            AddressFamily::Inet6 => Some(Self::V6),
            _ => None,
        }
    }
}

/// Requests and answers on one namespace.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// A socket in the calling thread's namespace.
    pub(crate) fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        Ok(Self { socket, sequence: 0 })
    }

    /// One change; returns when the kernel has done it. The error is the kernel's errno.
    fn change(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        self.answers(|_| ())
    }

    /// All objects of one kind.
    fn dump(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.send(message, NLM_F_REQUEST | NLM_F_DUMP)?;
        let mut objects = Vec::new();
        self.answers(|object| objects.push(object))?;
        Ok(objects)
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
        packet.finalize();
        let mut buffer = vec![0; packet.buffer_len()];
        packet.serialize(&mut buffer);
        self.socket.send_to(&buffer, &SocketAddr::new(0, 0), 0)?;
        Ok(())
    }

    /// Reads until the acknowledgement or the end of the dump. A message that the parser does not know is skipped: new kernels may add
    /// attributes to objects that are not ours.
    fn answers(&mut self, mut each: impl FnMut(RouteNetlinkMessage)) -> io::Result<()> {
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            let mut rest = datagram.as_slice();
            while let Some(length) = message_length(rest) {
                let (one, tail) = rest.split_at(length);
                rest = tail.get(padding(length).min(tail.len())..).unwrap_or_default();
                let Ok(answer) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(one) else {
                    continue;
                };
                if answer.header.sequence_number != self.sequence {
                    continue;
                }
                match answer.payload {
                    NetlinkPayload::InnerMessage(object) => each(object),
                    NetlinkPayload::Error(error) => {
                        return error.code.map_or(Ok(()), |_| Err(error.to_io()));
                    }
                    NetlinkPayload::Done(done) if done.code != 0 => {
                        return Err(io::Error::from_raw_os_error(done.code.abs()));
                    }
                    NetlinkPayload::Done(_) => return Ok(()),
                    _ => {}
                }
            }
        }
    }
}

/// A socket that only listens for changes: addresses, links and rules of the calling thread's namespace. What changed is not read from
/// it, only that something did; the state is then dumped, which cannot be out of step.
#[derive(Debug)]
pub(crate) struct Subscription {
    socket: Socket,
}

impl Subscription {
    /// Subscribes in the calling thread's namespace.
    pub(crate) fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        Ok(Self { socket })
    }

    /// Empties the socket. True if anything was in it; an overrun is a change too.
    pub(crate) fn drain(&self) -> bool {
        let mut buffer = Vec::with_capacity(BUFFER);
        let mut changed = false;
        loop {
            buffer.clear();
            match self.socket.recv(&mut buffer, 0) {
                Ok(_) => changed = true,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = true,
                Err(_) => return changed,
            }
        }
    }
}

impl AsFd for Subscription {
    fn as_fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor belongs to `self.socket`, which lives as long as the borrow of `self`.
        unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) }
    }
}

/// Length of the first message of a datagram, `None` at its end or if the rest is cut.
fn message_length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    (length >= HEADER && length <= bytes.len()).then_some(length)
}

/// Bytes that fill a message of `length` up to the alignment of 4.
fn padding(length: usize) -> usize {
    length.wrapping_neg() & 3
}

const HEADER: usize = 16;
const BUFFER: usize = 32 * 1024;
const GROUPS: [u32; 5] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_RULE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_datagram_is_found() {
        let mut two = Vec::new();
        for length in [17_u32, 16] {
            let start = two.len();
            two.extend_from_slice(&length.to_ne_bytes());
            two.resize(start + length as usize + padding(length as usize), 0);
        }
        assert_eq!(message_length(&two), Some(17));
        assert_eq!(message_length(&two[20..]), Some(16));
        assert_eq!(message_length(&two[36..]), None);
        assert_eq!(message_length(&two[..10]), None, "cut in the middle");
    }

    #[test]
    fn padding_fills_to_four() {
        for (length, fill) in [(16, 0), (17, 3), (18, 2), (19, 1), (20, 0)] {
            assert_eq!(padding(length), fill, "{length}");
        }
    }
}
