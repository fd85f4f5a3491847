//! Finds and destroys the TCP sockets of a namespace that carry the mark.
//!
//! A captured socket keeps the mark for its life. When the rules of the pod go, its next segment would leave in plaintext for the real
//! destination; so none may be left then (integration.md C10). Kernel: include/uapi/linux/inet_diag.h, sock_diag.h; SOCK_DESTROY needs
//! CONFIG_INET_DIAG_DESTROY (4.5).

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

use crate::layout::MARK;

/// Destroys all marked connections in the calling thread's namespace: their peers over lo get a RST. Returns how many are still there.
pub(crate) fn destroy_marked() -> io::Result<usize> {
    let mut left = marked()?;
    for _ in 0..ROUNDS {
        for found in &left {
            found.destroy()?;
        }
        left = marked()?;
        if left.is_empty() {
            break;
        }
    }
    Ok(left.len())
}

/// One socket, as the kernel identifies it.
struct Found {
    family: u8,
    /// `struct inet_diag_sockid`.
    id: [u8; ID],
}

impl Found {
    fn destroy(&self) -> io::Result<()> {
        let mut request = request(self.family, ALL_STATES);
        request[8..8 + ID].copy_from_slice(&self.id);
        let mut result = Ok(());
        exchange(SOCK_DESTROY, ACK, &request, |_| {}).unwrap_or_else(|error| {
            // It ended by itself meanwhile.
            if error.raw_os_error() != Some(libc::ENOENT) {
                result = Err(error);
            }
        });
        result
    }
}

/// The marked connections of both families, dead ones (TIME_WAIT) and listeners left out.
fn marked() -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for family in [libc::AF_INET as u8, libc::AF_INET6 as u8] {
        let mut message = request(family, CONNECTIONS).to_vec();
        message.extend_from_slice(&mark_filter());
        let dumped = exchange(SOCK_DIAG_BY_FAMILY, DUMP, &message, |answer| {
            // `struct inet_diag_msg`: family, state, timer, retrans, then the id.
            if let Some(id) = answer.get(4..4 + ID).and_then(|id| id.try_into().ok()) {
                found.push(Found { family, id });
            }
        });
        match dumped {
            // A kernel without IPv6.
            Err(error) if family == libc::AF_INET6 as u8 && error.raw_os_error() == Some(libc::ENOENT) => {}
            other => other?,
        }
    }
    Ok(found)
}

/// `struct inet_diag_req_v2` with an empty id.
fn request(family: u8, states: u32) -> [u8; REQUEST] {
    let mut request = [0; REQUEST];
    request[0] = family;
    request[1] = libc::IPPROTO_TCP as u8;
    request[4..8].copy_from_slice(&states.to_ne_bytes());
    request
}

/// Attribute INET_DIAG_REQ_BYTECODE with the one instruction "mark == M": on a match the next instruction (the end, accept), else
/// beyond the end (refuse).
fn mark_filter() -> Vec<u8> {
    const LENGTH: u16 = 12;
    let mut attribute = Vec::with_capacity(16);
    attribute.extend_from_slice(&(LENGTH + 4).to_ne_bytes());
    attribute.extend_from_slice(&INET_DIAG_REQ_BYTECODE.to_ne_bytes());
    attribute.extend_from_slice(&[INET_DIAG_BC_MARK_COND, LENGTH as u8]);
    attribute.extend_from_slice(&(LENGTH + 4).to_ne_bytes());
    attribute.extend_from_slice(&MARK.to_ne_bytes());
    attribute.extend_from_slice(&u32::MAX.to_ne_bytes());
    attribute
}

/// Sends one message and reads to the end of the answer.
fn exchange(kind: u16, flags: u16, body: &[u8], mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    let mut message = Vec::with_capacity(HEADER + body.len());
    message.extend_from_slice(&((HEADER + body.len()) as u32).to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(&(REQUEST_FLAG | flags).to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(body);
    socket.send_to(&message, &SocketAddr::new(0, 0), 0)?;
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        let mut rest = datagram.as_slice();
        while let Some((kind, body, tail)) = split(rest) {
            rest = tail;
            match kind {
                // Both carry an errno, negated; an acknowledgement is an error 0.
                NLMSG_ERROR | NLMSG_DONE => {
                    let code =
                        body.get(..4).and_then(|code| code.try_into().ok()).map_or(0, i32::from_ne_bytes);
                    return if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code.abs())) };
                }
                _ => each(body),
            }
        }
    }
}

/// The type and body of the first netlink message, and what follows it.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEADER..length)?;
    let next = length.next_multiple_of(4).min(bytes.len());
    Some((kind, body, &bytes[next..]))
}

const HEADER: usize = 16;
/// `struct inet_diag_sockid`.
const ID: usize = 48;
/// `struct inet_diag_req_v2`.
const REQUEST: usize = 8 + ID;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const INET_DIAG_BC_MARK_COND: u8 = 10;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REQUEST_FLAG: u16 = 1;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;

/// Bits are 1 << TCP state (include/net/tcp_states.h): ESTABLISHED 1, SYN_SENT 2, SYN_RECV 3, FIN_WAIT1 4, FIN_WAIT2 5, CLOSE_WAIT 8,
/// LAST_ACK 9, CLOSING 11.
const CONNECTIONS: u32 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;
const ALL_STATES: u32 = u32::MAX;
const ROUNDS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_laid_out_as_the_kernel_reads_it() {
        let filter = mark_filter();
        assert_eq!(filter.len(), 16);
        assert_eq!(filter[..4], [16_u16.to_ne_bytes(), 1_u16.to_ne_bytes()].concat());
        assert_eq!(filter[4..8], [&[10, 12][..], &16_u16.to_ne_bytes()].concat());
        assert_eq!(filter[8..12], MARK.to_ne_bytes());
    }

    #[test]
    fn answers_are_split() {
        let mut bytes = Vec::new();
        for (kind, body) in [(20_u16, &b"abc"[..]), (3, b"")] {
            bytes.extend_from_slice(&((HEADER + body.len()) as u32).to_ne_bytes());
            bytes.extend_from_slice(&kind.to_ne_bytes());
            bytes.extend_from_slice(&[0; 10]);
            bytes.extend_from_slice(body);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let (kind, body, rest) = split(&bytes).unwrap();
        assert_eq!((kind, body), (20, &b"abc"[..]));
        let (kind, body, rest) = split(rest).unwrap();
        assert_eq!((kind, body.len(), rest.len()), (3, 0, 0));
        assert!(split(rest).is_none());
        assert!(split(&bytes[..18]).is_none(), "cut in the middle");
    }
}
