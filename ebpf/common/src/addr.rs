//! One form for every address: IPv6, with IPv4 in its mapped form, in network byte order.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP address as the programs see it: four words exactly as the kernel's contexts give them (network byte order).
///
/// An IPv4 address and its v4-mapped IPv6 form are one value, so a dual-stack socket cannot slip past a rule.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Addr {
    /// Words in memory order.
    pub words: [u32; 4],
}

const _: () = assert!(size_of::<Addr>() == 16 && align_of::<Addr>() == 4);

/// The third word of `::ffff:a.b.c.d`.
const MAPPED: u32 = 0x0000_ffff_u32.to_be();

impl Addr {
    /// From an IPv4 address in network byte order.
    #[inline(always)]
    pub const fn v4(be: u32) -> Self {
        Self { words: [0, 0, MAPPED, be] }
    }

    /// From the four words of an IPv6 address in network byte order.
    #[inline(always)]
    pub const fn v6(a: u32, b: u32, c: u32, d: u32) -> Self {
        Self { words: [a, b, c, d] }
    }

    /// 127/8 or ::1, mapped form included.
    #[inline(always)]
    pub const fn is_loopback(&self) -> bool {
        let [a, b, c, d] = self.words;
        if a != 0 || b != 0 {
            return false;
        }
        (c == MAPPED && u32::from_be(d) >> 24 == 127) || (c == 0 && d == 1_u32.to_be())
    }

    /// 0.0.0.0 or ::, mapped form included: connect() to it means loopback.
    #[inline(always)]
    pub const fn is_unspecified(&self) -> bool {
        let [a, b, c, d] = self.words;
        a == 0 && b == 0 && (c == 0 || c == MAPPED) && d == 0
    }

    /// Field by field: a slice comparison would become a call to `memcmp`, which BPF does not have.
    #[inline(always)]
    pub const fn same(&self, other: &Self) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.words, other.words);
        a == e && b == f && c == g && d == h
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        let v6 = match ip {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let o = v6.octets();
        let word = |i: usize| u32::from_ne_bytes([o[i], o[i + 1], o[i + 2], o[i + 3]]);
        Self { words: [word(0), word(4), word(8), word(12)] }
    }
}

impl From<Ipv4Addr> for Addr {
    fn from(ip: Ipv4Addr) -> Self {
        Self::from(IpAddr::V4(ip))
    }
}

impl From<Addr> for IpAddr {
    /// Canonical: a mapped address comes back as IPv4.
    fn from(addr: Addr) -> Self {
        let [a, b, c, d] = addr.words.map(u32::from_be);
        let wide = (u128::from(a) << 96) | (u128::from(b) << 64) | (u128::from(c) << 32) | u128::from(d);
        IpAddr::V6(Ipv6Addr::from(wide)).to_canonical()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_addresses() {
        for (text, loopback, unspecified) in [
            ("127.0.0.1", true, false),
            ("127.255.1.2", true, false),
            ("128.0.0.1", false, false),
            ("0.0.0.0", false, true),
            ("0.0.0.1", false, false),
            ("::", false, true),
            ("::1", true, false),
            ("::2", false, false),
            ("1::1", false, false),
            ("::ffff:127.0.0.1", true, false),
            ("::ffff:0.0.0.0", false, true),
            ("::ffff:10.0.0.1", false, false),
            ("fe80::1", false, false),
            ("::127.0.0.1", false, false),
        ] {
            let addr = Addr::from(text.parse::<IpAddr>().unwrap());
            assert_eq!(addr.is_loopback(), loopback, "{text}");
            assert_eq!(addr.is_unspecified(), unspecified, "{text}");
        }
    }

    #[test]
    fn text_and_words_are_one_to_one() {
        let v4: IpAddr = "10.1.2.3".parse().unwrap();
        assert_eq!(Addr::from(v4), Addr::v4(u32::from_ne_bytes([10, 1, 2, 3])));
        assert_eq!(IpAddr::from(Addr::from(v4)), v4);
        let v6: IpAddr = "fd09::1:2".parse().unwrap();
        assert_eq!(IpAddr::from(Addr::from(v6)), v6);
        let mapped: IpAddr = "::ffff:10.1.2.3".parse().unwrap();
        assert_eq!(Addr::from(mapped), Addr::from(v4));
    }
}
