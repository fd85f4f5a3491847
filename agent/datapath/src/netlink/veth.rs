//! Builds the link of a scratch namespace pair (self-test and tests only): one veth, its addresses, and a default route.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteType};

use super::{Family, Netlink};

impl Netlink {
    /// Makes a veth pair: one end here under `name`, the other in `peer_netns` under `peer_name`.
    pub(crate) fn add_veth(
        &mut self,
        name: &str,
        peer_name: &str,
        peer_netns: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let mut peer = LinkMessage::default();
        peer.attributes =
            vec![LinkAttribute::IfName(peer_name.into()), LinkAttribute::NetNsFd(peer_netns.as_raw_fd())];
        let mut link = LinkMessage::default();
        link.attributes = vec![
            LinkAttribute::IfName(name.into()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ];
        self.change(RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// The index of the interface called `name`.
    pub(crate) fn index_of(&mut self, name: &str) -> io::Result<u32> {
        let snapshot = self.snapshot()?;
        let found = snapshot.interfaces.iter().find(|(_, interface)| interface.name == name);
        found
            .map(|(index, _)| *index)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no interface {name}")))
    }

    /// `ip link set <index> up` or `down`.
    pub(crate) fn set_up(&mut self, index: u32, up: bool) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        link.header.change_mask = LinkFlags::Up;
        self.change(RouteNetlinkMessage::NewLink(link), 0)
    }

    /// `ip link del <index>`.
    #[cfg(test)]
    pub(crate) fn remove_link(&mut self, index: u32) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        self.change(RouteNetlinkMessage::DelLink(link), 0)
    }

    /// Adds an address without duplicate detection, so that it can be used as soon as it [is local](Self::until_local).
    pub(crate) fn add_address(&mut self, index: u32, ip: IpAddr, prefix: u8) -> io::Result<()> {
        self.change(RouteNetlinkMessage::NewAddress(address(index, ip, prefix)), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Returns once the kernel takes `ip` for its own. An IPv6 address has its route by a work queue of the kernel, some time after
    /// it is there (`addrconf_dad_work` in net/ipv6/addrconf.c); what is sent to it meanwhile leaves the namespace.
    pub(crate) fn until_local(&mut self, ip: IpAddr) -> io::Result<()> {
        let begin = Instant::now();
        while !self.is_local(ip)? {
            if begin.elapsed() > PATIENCE {
                let text = format!("{ip} has no local route {PATIENCE:?} after it was added");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// `ip route get <ip>` says `local`.
    fn is_local(&mut self, ip: IpAddr) -> io::Result<bool> {
        let mut question = RouteMessage::default();
        question.header.address_family = Family::of(ip).netlink();
        question.header.destination_prefix_length = if ip.is_ipv4() { 32 } else { 128 };
        question.attributes = vec![RouteAttribute::Destination(RouteAddress::from(ip))];
        self.send(RouteNetlinkMessage::GetRoute(question), NLM_F_REQUEST | NLM_F_ACK)?;
        let mut is_local = false;
        self.answers(|answer| {
            is_local |= matches!(answer, RouteNetlinkMessage::NewRoute(route) if route.header.kind == RouteType::Local);
        })?;
        Ok(is_local)
    }

    /// Removes an address.
    #[cfg(test)]
    pub(crate) fn remove_address(&mut self, index: u32, ip: IpAddr, prefix: u8) -> io::Result<()> {
        self.change(RouteNetlinkMessage::DelAddress(address(index, ip, prefix)), 0)
    }

    /// A default route through `index` in the main table, all destinations on the link.
    pub(crate) fn add_default_route(
        &mut self,
        family: Family,
        index: u32,
        gateway: IpAddr,
    ) -> io::Result<()> {
        let mut message = RouteMessage::default();
        message.header.address_family = family.netlink();
        message.header.table = netlink_packet_route::route::RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.kind = RouteType::Unicast;
        message.attributes =
            vec![RouteAttribute::Oif(index), RouteAttribute::Gateway(RouteAddress::from(gateway))];
        self.change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL)
    }
}

/// For a route that the kernel installs within a millisecond, if it is not busy.
const PATIENCE: Duration = Duration::from_secs(5);

fn address(index: u32, ip: IpAddr, prefix: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = Family::of(ip).netlink();
    message.header.index = index;
    message.header.prefix_len = prefix;
    message.attributes = vec![
        AddressAttribute::Local(ip),
        AddressAttribute::Address(ip),
        AddressAttribute::Flags(AddressFlags::Nodad),
    ];
    message
}
