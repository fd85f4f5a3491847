//! Dumps of netlink, as far as a picture of before and after needs them.

use anyhow::{Context, Result, bail};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

/// One object of a dump.
pub(super) struct Message {
    /// The family's own header.
    pub(super) header: Vec<u8>,
    /// Kind and value, in the order in which they came.
    pub(super) attributes: Vec<(u16, Vec<u8>)>,
}

impl Message {
    /// An attribute that is a number.
    pub(super) fn number(&self, kind: u16) -> Option<u32> {
        self.attribute(kind)?.try_into().ok().map(u32::from_ne_bytes)
    }

    /// An attribute that is a text.
    pub(super) fn text(&self, kind: u16) -> Option<String> {
        let bytes = self.attribute(kind)?;
        Some(String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned())
    }

    /// An attribute that is an address.
    pub(super) fn address(&self, kind: u16) -> Option<std::net::IpAddr> {
        let bytes = self.attribute(kind)?;
        let v4 = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
        v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from)).ok()
    }

    fn attribute(&self, kind: u16) -> Option<&[u8]> {
        self.attributes.iter().find(|(own, _)| *own == kind).map(|(_, value)| value.as_slice())
    }
}

/// Everything that a dump request (`kind`, with the family's header) is answered with.
pub(super) fn dump(protocol: Option<Protocol>, kind: u16, header: &[u8]) -> Result<Vec<Message>> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)
        .context("netlink")?;
    let length = u32::try_from(HEADER + header.len())?;
    let mut request = length.to_ne_bytes().to_vec();
    request.extend(kind.to_ne_bytes());
    request.extend((REQUEST | DUMP).to_ne_bytes());
    request.extend([0; 8]);
    request.extend(header);
    sendto(&socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).context("asking netlink")?;
    let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 17]);
    loop {
        let (_, size) =
            recv(&socket, buffer.as_mut_slice(), RecvFlags::empty()).context("reading netlink")?;
        if read(buffer.get(..size).context("a message that was cut")?, header.len(), &mut all)? {
            return Ok(all);
        }
    }
}

/// Reads one datagram; true: it ends the dump.
fn read(mut bytes: &[u8], header: usize, all: &mut Vec<Message>) -> Result<bool> {
    while bytes.len() >= HEADER {
        let length = usize::try_from(u32::from_ne_bytes(bytes[..4].try_into()?))?;
        let message = bytes.get(HEADER..length).context("a message that is longer than its datagram")?;
        match u16::from_ne_bytes(bytes[4..6].try_into()?) {
            DONE => return Ok(true),
            ERROR => {
                let code = message.get(..4).context("an error without a code")?;
                let code = i32::from_ne_bytes(code.try_into()?);
                bail!("netlink: {}", std::io::Error::from_raw_os_error(-code));
            }
            _ => {
                let (own, rest) = message.split_at_checked(header).context("a message without its header")?;
                all.push(Message { header: own.to_vec(), attributes: attributes(rest) });
            }
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn attributes(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut all = Vec::new();
    while let &[a, b, c, d, ..] = bytes {
        let (length, kind) = (usize::from(u16::from_ne_bytes([a, b])), u16::from_ne_bytes([c, d]));
        let Some(value) = bytes.get(4..length) else { break };
        // The two highest bits are flags.
        all.push((kind & 0x3fff, value.to_vec()));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

/// Size of `struct nlmsghdr` (linux/netlink.h), as the flags and kinds below.
const HEADER: usize = 16;
const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;
const ERROR: u16 = 2;
const DONE: u16 = 3;
