//! Virtual addresses for service entries that have none.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use xxhash_rust::xxh64::xxh64;

/// A host of a service entry: namespace and name of the entry, host.
pub(crate) type Holder = (Arc<str>, Arc<str>, Arc<str>);

/// Who holds which of 240.240.0.0/16 and 2001:2::/48.
///
/// Without a clock and without chance: a host's address comes from its name, the next free one if that is taken. What a
/// status says goes before what was made here, so that replicas agree as soon as one of them has written it.
#[derive(Debug, Default)]
pub(crate) struct Vips {
    held: HashMap<IpAddr, (Holder, bool)>,
    of: HashMap<Holder, [IpAddr; 2]>,
}

impl Vips {
    /// Gives a host its addresses: those of the status where it may have them. Answers with whoever lost one by it and
    /// must ask again.
    pub(crate) fn hold(&mut self, holder: &Holder, status: &[IpAddr]) -> Vec<Holder> {
        self.release(holder);
        let mut losers = Vec::new();
        let families: [fn(&IpAddr) -> bool; 2] = [is_v4, is_v6];
        let addresses = families.map(|is_ours| {
            let said = status.iter().copied().find(is_ours);
            let said = said.filter(|ip| self.held.get(ip).is_none_or(|(_, written)| !written));
            let ip = said.unwrap_or_else(|| self.free(holder, is_ours(&V4)));
            if let Some((loser, _)) = self.held.insert(ip, (holder.clone(), said.is_some())) {
                losers.push(loser);
            }
            ip
        });
        self.of.insert(holder.clone(), addresses);
        losers
    }

    /// Frees a host's addresses.
    pub(crate) fn release(&mut self, holder: &Holder) {
        for ip in self.of.remove(holder).into_iter().flatten() {
            if self.held.get(&ip).is_some_and(|(of, _)| of == holder) {
                self.held.remove(&ip);
            }
        }
    }

    /// A host's addresses.
    pub(crate) fn of(&self, holder: &Holder) -> &[IpAddr] {
        self.of.get(holder).map_or(&[], |addresses| addresses)
    }

    fn free(&self, holder: &Holder, v4: bool) -> IpAddr {
        let (namespace, name, host) = holder;
        let start = xxh64(format!("{namespace}/{name}/{host}").as_bytes(), 0) % SIZE;
        // Not the first and not the last of the range. When all are taken, two hosts share one.
        let places = (0..SIZE).map(|step| 1 + u16::try_from((start + step) % SIZE).unwrap_or_default());
        let mut addresses = places.map(|place| if v4 { v4_at(place) } else { v6_at(place) });
        let fallback = v4_at(1);
        addresses.find(|ip| !self.held.contains_key(ip)).unwrap_or(if v4 { fallback } else { v6_at(1) })
    }
}

fn v4_at(place: u16) -> IpAddr {
    let [high, low] = place.to_be_bytes();
    Ipv4Addr::new(240, 240, high, low).into()
}

fn v6_at(place: u16) -> IpAddr {
    Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, place).into()
}

fn is_v4(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.octets()[..2] == [240, 240])
}

fn is_v6(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.segments()[..3] == [0x2001, 2, 0])
}

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(240, 240, 0, 0));
const SIZE: u64 = 65_534;
