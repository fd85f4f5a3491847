//! The PROXY protocol: the first bytes of a connection say who the client is (haproxy's proxy-protocol.txt).

use std::net::{IpAddr, SocketAddr};

/// The header of a version. Another version than 1 and 2 has none.
pub(super) fn header(version: u32, client: SocketAddr, destination: SocketAddr) -> Option<Vec<u8>> {
    let (from, to) = (client.ip().to_canonical(), destination.ip().to_canonical());
    // Both are of one family, or there is no way to say it.
    let same = from.is_ipv4() == to.is_ipv4();
    match version {
        1 if !same => Some(b"PROXY UNKNOWN\r\n".to_vec()),
        1 => {
            let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
            Some(format!("PROXY {family} {from} {to} {} {}\r\n", client.port(), destination.port()).into())
        }
        2 => Some(binary(from, to, [client.port(), destination.port()], same)),
        _ => None,
    }
}

fn binary(from: IpAddr, to: IpAddr, ports: [u16; 2], same: bool) -> Vec<u8> {
    let mut addresses = Vec::new();
    for address in [from, to].into_iter().filter(|_| same) {
        match address {
            IpAddr::V4(v4) => addresses.extend(v4.octets()),
            IpAddr::V6(v6) => addresses.extend(v6.octets()),
        }
    }
    addresses.extend(ports.iter().filter(|_| same).flat_map(|port| port.to_be_bytes()));
    let family = match (same, from) {
        (false, _) => 0x00,
        (true, IpAddr::V4(_)) => 0x11,
        (true, IpAddr::V6(_)) => 0x21,
    };
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    header.extend([family, 0, addresses.len() as u8]);
    header.extend(addresses);
    header
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(1, "1.2.3.4:5", "6.7.8.9:80", Some(&b"PROXY TCP4 1.2.3.4 6.7.8.9 5 80\r\n"[..]))]
    #[case(1, "[::ffff:1.2.3.4]:5", "6.7.8.9:80", Some(&b"PROXY TCP4 1.2.3.4 6.7.8.9 5 80\r\n"[..]))]
    #[case(1, "[1::2]:5", "[3::4]:80", Some(&b"PROXY TCP6 1::2 3::4 5 80\r\n"[..]))]
    #[case(1, "[1::2]:5", "6.7.8.9:80", Some(&b"PROXY UNKNOWN\r\n"[..]))]
    #[case(2, "1.2.3.4:5", "6.7.8.9:80", Some(&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x06\x07\x08\x09\0\x05\0\x50"[..]))]
    #[case(2, "[1::2]:5", "6.7.8.9:80", Some(&b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0"[..]))]
    #[case(3, "1.2.3.4:5", "6.7.8.9:80", None)]
    fn headers(
        #[case] version: u32,
        #[case] client: &str,
        #[case] to: &str,
        #[case] expected: Option<&[u8]>,
    ) {
        let header = header(version, client.parse().unwrap(), to.parse().unwrap());
        assert_eq!(header.as_deref(), expected);
    }
}
