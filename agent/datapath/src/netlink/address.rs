//! Reads the interfaces and addresses of a namespace into a [`Snapshot`].

use std::io;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};

use super::Netlink;
use crate::address::{Address, Interface, Snapshot};

impl Netlink {
    /// Two dumps, links first: an address whose link appeared in between is left for the next change, which its own event announces.
    pub(crate) fn snapshot(&mut self) -> io::Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        for answer in self.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))? {
            if let RouteNetlinkMessage::NewLink(link) = answer {
                snapshot.interfaces.insert(link.header.index, interface(&link));
            }
        }
        for answer in self.dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))? {
            let RouteNetlinkMessage::NewAddress(message) = answer else {
                continue;
            };
            let Some(address) = address(&message) else {
                continue;
            };
            if let Some(interface) = snapshot.interfaces.get_mut(&message.header.index) {
                interface.addresses.push(address);
            }
        }
        Ok(snapshot)
    }
}

fn interface(link: &LinkMessage) -> Interface {
    let name = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    });
    Interface {
        name: name.unwrap_or_else(|| format!("#{}", link.header.index)),
        loopback: link.header.flags.contains(LinkFlags::Loopback),
        up: link.header.flags.contains(LinkFlags::Up),
        addresses: Vec::new(),
    }
}

fn address(message: &AddressMessage) -> Option<Address> {
    let (mut own, mut given, mut flags) =
        (None, None, AddressFlags::from_bits_retain(u32::from(message.header.flags.bits())));
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => own = Some(*ip),
            AddressAttribute::Address(ip) => given = Some(*ip),
            AddressAttribute::Flags(all) => flags = *all,
            _ => {}
        }
    }
    // On a point-to-point link `Address` is the peer's and `Local` the own one; IPv6 without a peer has only `Address`.
    let ip = own.or(given)?;
    let unusable = AddressFlags::Dadfailed | AddressFlags::Tentative;
    Some(Address {
        ip,
        usable: !flags.intersects(unusable) || flags.contains(AddressFlags::Optimistic),
        global: message.header.scope != AddressScope::Link && message.header.scope != AddressScope::Host,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(attributes: Vec<AddressAttribute>, scope: AddressScope) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.scope = scope;
        message.attributes = attributes;
        message
    }

    #[test]
    fn the_own_end_of_a_peer_address_is_taken() {
        let (own, peer) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let read = address(&message(
            vec![AddressAttribute::Address(peer), AddressAttribute::Local(own)],
            AddressScope::Universe,
        ))
        .unwrap();
        assert_eq!(read, Address { ip: own, usable: true, global: true });
    }

    #[test]
    fn a_tentative_address_is_known_but_not_usable() {
        let ip = "fd00::1".parse().unwrap();
        for (flags, usable) in [
            (AddressFlags::Permanent, true),
            (AddressFlags::Tentative, false),
            (AddressFlags::Tentative | AddressFlags::Dadfailed, false),
            (AddressFlags::Tentative | AddressFlags::Optimistic, true),
        ] {
            let attributes = vec![AddressAttribute::Address(ip), AddressAttribute::Flags(flags)];
            assert_eq!(
                address(&message(attributes, AddressScope::Universe)).unwrap().usable,
                usable,
                "{flags:?}"
            );
        }
    }

    #[test]
    fn link_scope_is_not_global() {
        let ip = "fe80::1".parse().unwrap();
        assert!(!address(&message(vec![AddressAttribute::Address(ip)], AddressScope::Link)).unwrap().global);
    }
}
