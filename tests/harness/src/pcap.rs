//! Reading a capture: Ethernet, IPv4 or IPv6, TCP; and looking for bytes in what passed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Result, bail};

/// Port of the tunnel.
const TUNNEL: u16 = 15008;

/// One TCP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Sender.
    pub src: SocketAddr,
    /// Receiver.
    pub dst: SocketAddr,
    /// Sequence number of the first payload byte.
    pub seq: u32,
    /// TCP flags; SYN is 2, RST is 4.
    pub flags: u8,
    /// Payload.
    pub payload: Vec<u8>,
}

/// Everything that a capture holds.
#[derive(Clone, Debug, Default)]
pub struct Packets {
    /// TCP packets in the order of the capture.
    pub tcp: Vec<Packet>,
    /// Frames that hold no TCP (neighbour discovery, UDP, ...).
    pub other: usize,
    /// Packets that the kernel dropped before they were recorded; 0 makes the capture a proof.
    pub dropped: u64,
    raw: Vec<u8>,
}

impl Packets {
    /// Reads the bytes of a classic pcap file (as `tcpdump -w` writes it, Ethernet frames).
    pub fn parse(file: &[u8]) -> Result<Self> {
        let Some(header) = file.get(..24) else { bail!("a pcap file has a header of 24 bytes") };
        let magic = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        if !matches!(magic, 0xa1b2_c3d4 | 0xa1b2_3c4d) || header[20] != 1 {
            bail!("not a little-endian pcap file of Ethernet frames (magic {magic:08x})");
        }
        let mut packets = Self::default();
        let mut rest = &file[24..];
        while let Some(record) = rest.get(..16) {
            let length = u32::from_le_bytes([record[8], record[9], record[10], record[11]]) as usize;
            // The last record may be cut where tcpdump was stopped.
            let Some(frame) = rest.get(16..16 + length) else { break };
            packets.raw.extend_from_slice(frame);
            match tcp(frame) {
                Some(packet) => packets.tcp.push(packet),
                None => packets.other += 1,
            }
            rest = &rest[16 + length..];
        }
        Ok(packets)
    }

    /// TCP packets of the tunnel.
    pub fn tunnel(&self) -> impl Iterator<Item = &Packet> {
        self.tcp.iter().filter(|packet| packet.is_tunnel())
    }

    /// TCP packets of anything else.
    pub fn outside_tunnel(&self) -> impl Iterator<Item = &Packet> {
        self.tcp.iter().filter(|packet| !packet.is_tunnel())
    }

    /// Whether the bytes passed in plaintext: inside one frame, or across the packets of one flow.
    #[must_use]
    pub fn contains(&self, needle: &[u8]) -> bool {
        find(&self.raw, needle) || self.flows().values().any(|bytes| find(bytes, needle))
    }

    /// Whether every flow of the tunnel starts with a TLS handshake record in both directions.
    #[must_use]
    pub fn tunnel_is_tls(&self) -> bool {
        let mut flows = self.flows();
        flows.retain(|(src, dst), _| src.port() == TUNNEL || dst.port() == TUNNEL);
        // A record is: type 22, version 3.x.
        !flows.is_empty() && flows.values().all(|bytes| bytes.starts_with(&[22, 3]))
    }

    /// Payload of each direction of each connection, in the order of its sequence numbers.
    fn flows(&self) -> BTreeMap<(SocketAddr, SocketAddr), Vec<u8>> {
        let mut parts: BTreeMap<_, Vec<(u32, &[u8])>> = BTreeMap::new();
        for packet in self.tcp.iter().filter(|packet| !packet.payload.is_empty()) {
            parts.entry((packet.src, packet.dst)).or_default().push((packet.seq, &packet.payload));
        }
        parts.into_iter().map(|(flow, parts)| (flow, join(parts))).collect()
    }
}

impl Packet {
    /// Whether it belongs to a tunnel by its port.
    #[must_use]
    pub fn is_tunnel(&self) -> bool {
        self.src.port() == TUNNEL || self.dst.port() == TUNNEL
    }
}

impl std::fmt::Display for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { src, dst, flags, payload, .. } = self;
        let text: String = String::from_utf8_lossy(payload).chars().take(40).collect();
        write!(f, "{src} > {dst} flags {flags:#04x} {} bytes {text:?}", payload.len())
    }
}

/// Puts segments in order, relative to the first that was seen; what was sent again is left out.
fn join(mut parts: Vec<(u32, &[u8])>) -> Vec<u8> {
    let base = parts.first().map_or(0, |part| part.0);
    let offset = |seq: u32| i64::from(seq.wrapping_sub(base).cast_signed());
    parts.sort_by_key(|part| offset(part.0));
    let mut bytes = Vec::new();
    let mut end = i64::MIN;
    for (seq, payload) in parts {
        let start = offset(seq);
        let known = usize::try_from((end - start).max(0)).unwrap_or(0);
        bytes.extend_from_slice(payload.get(if end == i64::MIN { 0 } else { known }..).unwrap_or(&[]));
        end = end.max(start + i64::try_from(payload.len()).unwrap_or(0));
    }
    bytes
}

fn find(hay: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && hay.windows(needle.len()).any(|window| window == needle)
}

fn tcp(frame: &[u8]) -> Option<Packet> {
    let kind = u16::from_be_bytes([*frame.get(12)?, *frame.get(13)?]);
    let ip = frame.get(14..)?;
    let (src, dst, segment): (IpAddr, IpAddr, &[u8]) = match kind {
        0x0800 => ipv4(ip)?,
        0x86dd => ipv6(ip)?,
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes([*segment.get(at)?, *segment.get(at + 1)?]));
    let seq = segment.get(4..8)?;
    let header = usize::from(segment.get(12)? >> 4) * 4;
    Some(Packet {
        src: (src, port(0)?).into(),
        dst: (dst, port(2)?).into(),
        seq: u32::from_be_bytes([seq[0], seq[1], seq[2], seq[3]]),
        flags: *segment.get(13)?,
        payload: segment.get(header..)?.to_vec(),
    })
}

fn ipv4(ip: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let header = usize::from(ip.first()? & 0x0f) * 4;
    // Frames are padded to 60 bytes: the length in the header counts.
    let total = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?])).min(ip.len());
    if *ip.get(9)? != 6 {
        return None;
    }
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(ip.get(at..at + 4)?).ok()?));
    Some((address(12)?.into(), address(16)?.into(), ip.get(header..total)?))
}

/// Extension headers do not occur in what the harness sends.
fn ipv6(ip: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let length = usize::from(u16::from_be_bytes([*ip.get(4)?, *ip.get(5)?]));
    if *ip.get(6)? != 6 {
        return None;
    }
    let address = |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(ip.get(at..at + 16)?).ok()?));
    // Length 0 stands for more than 64 KiB (segmentation offload).
    let end = if length == 0 { ip.len() } else { (40 + length).min(ip.len()) };
    Some((address(8)?.into(), address(24)?.into(), ip.get(40..end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(seq: u32, payload: &[u8], port: u16) -> Packet {
        let (src, dst) = ("10.0.0.1:1000".parse().unwrap(), SocketAddr::from(([10, 0, 0, 2], port)));
        Packet { src, dst, seq, flags: 0x18, payload: payload.to_vec() }
    }

    #[test]
    fn finds_bytes_across_packets_that_came_out_of_order_and_twice() {
        let tcp = vec![
            packet(10, b"GET /sec", 80),
            packet(22, b" HTTP", 80),
            packet(18, b"ret ", 80),
            packet(18, b"ret ", 80),
        ];
        let packets = Packets { tcp, ..Packets::default() };
        assert!(packets.contains(b"/secret  HTTP"));
        assert!(!packets.contains(b"password"));
        assert_eq!(packets.outside_tunnel().count(), 4);
    }

    #[test]
    fn sequence_numbers_wrap() {
        let joined = join(vec![(u32::MAX - 1, b"abcd".as_slice()), (2, b"ef"), (1, b"d")]);
        assert_eq!(joined, b"abcdef");
    }

    #[test]
    fn tells_tls_from_plaintext() {
        let tls = Packets { tcp: vec![packet(1, &[22, 3, 1, 0], 15008)], ..Packets::default() };
        assert!(tls.tunnel_is_tls());
        let plain = Packets { tcp: vec![packet(1, b"GET", 15008)], ..Packets::default() };
        assert!(!plain.tunnel_is_tls());
        assert!(!Packets::default().tunnel_is_tls());
    }
}
