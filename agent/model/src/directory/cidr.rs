//! Virtual ranges: the longest prefix that holds an address.

use std::net::IpAddr;
use std::sync::Arc;

use imbl::{HashMap, OrdMap};
use ipnet::IpNet;

use super::claim::Claims;
use crate::Service;

/// Services by range. A look-up costs one probe per distinct prefix length in use, of which a mesh has a few.
#[derive(Clone, Default)]
pub(super) struct Ranges {
    claims: Claims<IpNet, Service>,
    /// Per network, how many claims there are of each prefix length.
    lengths: HashMap<Arc<str>, OrdMap<u8, usize>>,
}

impl Ranges {
    /// The claimants of each range that holds the address, longest prefix first.
    pub(super) fn covering(&self, network: &str, ip: IpAddr) -> impl Iterator<Item = &[Arc<Service>]> {
        let lengths = self.lengths.get(network).into_iter().flat_map(|l| l.keys().rev().copied());
        let nets = lengths.filter_map(move |length| IpNet::new(ip, length).ok().map(|net| net.trunc()));
        nets.map(move |net| self.claims.get(network, &net)).filter(|claimants| !claimants.is_empty())
    }

    pub(super) fn insert(&mut self, network: &Arc<str>, range: IpNet, service: &Arc<Service>) {
        self.claims.insert(network, range.trunc(), service);
        *self.lengths.entry(network.clone()).or_default().entry(range.prefix_len()).or_insert(0) += 1;
    }

    pub(super) fn remove(&mut self, network: &str, range: IpNet, service: &Service) {
        self.claims.remove(network, &range.trunc(), service);
        let Some(lengths) = self.lengths.get_mut(network) else {
            return;
        };
        match lengths.get(&range.prefix_len()) {
            Some(1) | None => lengths.remove(&range.prefix_len()),
            Some(more) => lengths.insert(range.prefix_len(), more - 1),
        };
        if lengths.is_empty() {
            self.lengths.remove(network);
        }
    }
}

#[cfg(test)]
impl Ranges {
    /// Ranges that somebody claims and prefix lengths in use.
    pub(super) fn len(&self) -> usize {
        self.claims.len() + self.lengths.values().map(OrdMap::len).sum::<usize>()
    }
}
