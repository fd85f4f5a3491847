//! What addresses and interfaces a pod has, and what follows from that. Pure: netlink fills a [`Snapshot`], everything else is derived.
//!
//! *Own* addresses are all addresses of the namespace but 127/8 and ::1 (which the kernel programs know by themselves).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::layout::{LOOPBACK_INDEX, METRIC_INTERFACE, METRIC_LOOPBACK, METRIC_UNREACHABLE};
use crate::netlink::{Family, LocalRoute, RouteKind};

/// The interfaces of a namespace by index, as one look saw them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// By interface index.
    pub(crate) interfaces: BTreeMap<u32, Interface>,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Its name, `eth0`.
    pub(crate) name: String,
    /// IFF_LOOPBACK.
    pub(crate) loopback: bool,
    /// IFF_UP: a route through a link that is down is refused by the kernel.
    pub(crate) up: bool,
    /// In the kernel's order: the first global one is what the kernel itself prefers as a source.
    pub(crate) addresses: Vec<Address>,
}

/// One address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    /// The address itself.
    pub(crate) ip: IpAddr,
    /// False while IPv6 checks for duplicates: it is own already, but not yet good as a source.
    pub(crate) usable: bool,
    /// Not of link or host scope.
    pub(crate) global: bool,
}

impl Interface {
    /// The source for traffic through this interface, a declared pod address first.
    fn source(&self, declared: &[IpAddr], family: Family) -> Option<IpAddr> {
        let mut usable = self
            .addresses
            .iter()
            .filter(|a| a.usable && a.global && Family::of(a.ip) == family && !a.ip.is_loopback());
        let first = usable.clone().next();
        usable.find(|a| declared.contains(&a.ip)).or(first).map(|a| a.ip)
    }
}

impl Snapshot {
    /// The own set of the pod.
    pub(crate) fn own(&self) -> BTreeSet<IpAddr> {
        self.interfaces
            .values()
            .flat_map(|i| &i.addresses)
            .map(|a| a.ip)
            .filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
            .collect()
    }

    /// Interfaces that traffic from outside can come in by and that have an address: each gets listeners and a route.
    pub(crate) fn captured(&self) -> BTreeMap<u32, &Interface> {
        let outside = self.interfaces.iter().filter(|(_, i)| !i.loopback && i.up && !i.addresses.is_empty());
        outside.map(|(index, interface)| (*index, interface)).collect()
    }

    /// The pod's address of one family: the first declared one that is here, else the first that the namespace has.
    pub(crate) fn primary(&self, declared: &[IpAddr], family: Family) -> Option<IpAddr> {
        let here: Vec<IpAddr> = self
            .interfaces
            .values()
            .flat_map(|interface| &interface.addresses)
            .filter(|a| a.usable && a.global && Family::of(a.ip) == family && !a.ip.is_loopback())
            .map(|a| a.ip)
            .collect();
        declared.iter().copied().find(|ip| here.contains(ip)).or_else(|| here.first().copied())
    }

    /// The default routes that table T of `family` must hold. `numbers` are the slot numbers of the captured interfaces.
    pub(crate) fn routes(
        &self,
        declared: &[IpAddr],
        family: Family,
        numbers: &InterfaceNumbers,
    ) -> Vec<LocalRoute> {
        let Some(source) = self.primary(declared, family) else {
            return vec![LocalRoute { family, kind: RouteKind::Unreachable, metric: METRIC_UNREACHABLE }];
        };
        let mut routes = vec![LocalRoute {
            family,
            kind: RouteKind::Local { interface: LOOPBACK_INDEX, source },
            metric: METRIC_LOOPBACK,
        }];
        for (index, interface) in self.captured() {
            // The source must be the interface's own: a client bound to the device would else send from an address that it cannot hear.
            if let (Some(number), Some(source)) = (numbers.get(index), interface.source(declared, family)) {
                let kind = RouteKind::Local { interface: index, source };
                routes.push(LocalRoute { family, kind, metric: METRIC_INTERFACE + number });
            }
        }
        routes
    }
}

/// The number that each captured interface has in the slot layout. A number stays with its interface while that is there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct InterfaceNumbers {
    numbers: BTreeMap<u32, u32>,
}

impl InterfaceNumbers {
    /// The number of an interface.
    pub(crate) fn get(&self, index: u32) -> Option<u32> {
        self.numbers.get(&index).copied()
    }

    /// The lowest free number for `index`, or the one it has. `None` when all are taken.
    pub(crate) fn assign(&mut self, index: u32, limit: u32) -> Option<u32> {
        if let Some(number) = self.get(index) {
            return Some(number);
        }
        let free = (0..limit).find(|number| !self.numbers.values().any(|taken| taken == number))?;
        self.numbers.insert(index, free);
        Some(free)
    }

    /// Takes over a number that was given earlier.
    pub(crate) fn adopt(&mut self, index: u32, number: u32) {
        self.numbers.insert(index, number);
    }

    /// Frees the number of an interface that is gone.
    pub(crate) fn release(&mut self, index: u32) {
        self.numbers.remove(&index);
    }

    /// The interfaces that have a number.
    pub(crate) fn indexes(&self) -> Vec<u32> {
        self.numbers.keys().copied().collect()
    }
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
