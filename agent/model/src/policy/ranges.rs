//! A set of ranges of addresses.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

/// A set of ranges of addresses. A range that lies in another is left out, so the others are apart and the address is
/// searched for, not compared with each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Box<[IpNet]>);

impl Ranges {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the address is in it. IPv4 is never in a range of IPv6; a v4-mapped address is to be made IPv4 before.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let behind = self.0.partition_point(|net| net.network() <= ip);
        behind.checked_sub(1).and_then(|place| self.0.get(place)).is_some_and(|net| net.contains(&ip))
    }

    /// The ranges, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = IpNet> {
        self.0.iter().copied()
    }
}

impl FromIterator<IpNet> for Ranges {
    fn from_iter<I: IntoIterator<Item = IpNet>>(ranges: I) -> Self {
        let mut ranges: Vec<IpNet> = ranges.into_iter().map(|net| net.trunc()).collect();
        // A range comes behind what it lies in: two ranges are apart or one has the other.
        ranges.sort_unstable_by_key(|net| (net.network(), net.prefix_len()));
        let mut apart: Vec<IpNet> = Vec::with_capacity(ranges.len());
        for net in ranges {
            if !apart.last().is_some_and(|last| last.contains(&net)) {
                apart.push(net);
            }
        }
        Self(apart.into())
    }
}

impl Serialize for Ranges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|net| net.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn net() -> impl Strategy<Value = IpNet> {
        // Few distinct bits, so that ranges meet and lie in each other.
        let v4 = (0..4_u8, 0..4_u8, 0..=32_u8).prop_map(|(a, d, bits)| (IpAddr::from([a, 0, 0, d]), bits));
        let v6 = (0..4_u16, 0..=128_u8)
            .prop_map(|(last, bits)| (IpAddr::from([0x2001, 0, 0, 0, 0, 0, 0, last]), bits));
        prop_oneof![v4, v6].prop_map(|(ip, bits)| IpNet::new(ip, bits).unwrap())
    }

    proptest! {
        #[test]
        fn a_search_finds_what_a_scan_finds(
            nets in proptest::collection::vec(net(), 0..8),
            probe in net(),
        ) {
            let ranges: Ranges = nets.iter().copied().collect();
            for ip in [probe.addr(), probe.network(), probe.broadcast()] {
                prop_assert_eq!(ranges.contains(ip), nets.iter().any(|net| net.contains(&ip)), "{}", ip);
            }
        }
    }
}
