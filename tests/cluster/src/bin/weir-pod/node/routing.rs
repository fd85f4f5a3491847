//! Rules, routes and tables of nftables.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, netdevice, netlink, socket_with};

use super::netlink::{Message, dump};

/// `ip rule`, of both families.
pub(super) fn rules() -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for (family, name) in FAMILIES {
        for rule in dump(ROUTE, GETRULE, &header(family))? {
            let number = |kind, name: &str| rule.number(kind).map(|value| format!(" {name} {value}"));
            let parts = [(6, "priority"), (10, "mark"), (16, "mask"), (15, "table")];
            let parts: String = parts.into_iter().filter_map(|(kind, name)| number(kind, name)).collect();
            let device = rule.text(3).map(|name| format!(" iif {name}")).unwrap_or_default();
            all.insert(format!("{name}{parts}{device} action {}", rule.header[7]));
        }
    }
    Ok(all)
}

/// `ip route show table all`, but for what the kernel makes of addresses and what leads to pods.
pub(super) fn routes() -> Result<BTreeSet<String>> {
    let names = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let mut all = BTreeSet::new();
    for (family, name) in FAMILIES {
        for route in dump(ROUTE, GETROUTE, &header(family))? {
            let device = route.number(4).map(|index| {
                netdevice::index_to_name(&names, index).unwrap_or_else(|_| format!("interface {index}"))
            });
            let is_of_a_pod = device.as_deref().is_some_and(super::is_of_a_pod);
            if !is_of_a_pod && !is_made_by_the_kernel(&route) {
                all.insert(format!("{name}{}", describe(&route, device.as_deref())));
            }
        }
    }
    Ok(all)
}

/// Tables and chains, with how many rules are in each.
pub(super) fn nft() -> Result<BTreeSet<String>> {
    // struct nfgenmsg: any family, version 0.
    let ask = |message: u16| dump(Some(netlink::NETFILTER), NFTABLES << 8 | message, &[0; 4]);
    let Ok(tables) = ask(NFT_GETTABLE) else {
        // A kernel without nf_tables has no tables.
        return Ok(BTreeSet::new());
    };
    let table = |table: &Message| format!("{} {}", table.header[0], table.text(1).unwrap_or_default());
    let mut all: BTreeSet<String> = tables.iter().map(table).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for chain in ask(NFT_GETCHAIN)? {
        counts.insert(format!("{} {}", table(&chain), chain.text(3).unwrap_or_default()), 0);
    }
    for rule in ask(NFT_GETRULE)? {
        *counts.entry(format!("{} {}", table(&rule), rule.text(2).unwrap_or_default())).or_default() += 1;
    }
    all.extend(counts.into_iter().map(|(chain, rules)| format!("{chain}: {rules} rules")));
    Ok(all)
}

/// Those of table `local`, of the cache, and of link-local and multicast prefixes.
fn is_made_by_the_kernel(route: &Message) -> bool {
    let flags = route.header[8..12].try_into().map_or(0, u32::from_ne_bytes);
    let is_linked = matches!(route.address(1), Some(std::net::IpAddr::V6(to)) if to.is_unicast_link_local() || to.is_multicast());
    table(route) == LOCAL || flags & CLONED != 0 || is_linked
}

fn describe(route: &Message, device: Option<&str>) -> String {
    let to = route.address(1).map_or("default".to_owned(), |to| format!("{to}/{}", route.header[1]));
    let via = route.address(5).map(|via| format!(" via {via}")).unwrap_or_default();
    let device = device.map(|device| format!(" dev {device}")).unwrap_or_default();
    let metric = route.number(6).map(|metric| format!(" metric {metric}")).unwrap_or_default();
    format!(" {to}{via}{device}{metric} table {} kind {}", table(route), route.header[7])
}

fn table(route: &Message) -> u32 {
    route.number(15).unwrap_or_else(|| u32::from(route.header[4]))
}

/// `struct rtmsg` and `struct fib_rule_hdr`, which begin alike and are as long (linux/rtnetlink.h, linux/fib_rules.h).
fn header(family: AddressFamily) -> [u8; 12] {
    let mut header = [0; 12];
    header[0] = u8::try_from(family.as_raw()).unwrap_or_default();
    header
}

const FAMILIES: [(AddressFamily, &str); 2] = [(AddressFamily::INET, "IPv4"), (AddressFamily::INET6, "IPv6")];
/// NETLINK_ROUTE is 0, as none.
const ROUTE: Option<Protocol> = None;
const GETROUTE: u16 = 26;
const GETRULE: u16 = 34;
/// RT_TABLE_LOCAL.
const LOCAL: u32 = 255;
/// RTM_F_CLONED.
const CLONED: u32 = 0x200;
/// NFNL_SUBSYS_NFTABLES, and requests of it (linux/netfilter/nf_tables.h).
const NFTABLES: u16 = 10;
const NFT_GETTABLE: u16 = 1;
const NFT_GETCHAIN: u16 = 4;
const NFT_GETRULE: u16 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every network namespace has them.
    #[test]
    fn the_three_rules_of_every_namespace_are_read() {
        let all = rules().unwrap();
        assert!(all.iter().any(|rule| rule.starts_with("IPv4 priority 32766 table 254")), "{all:?}");
        routes().unwrap();
        nft().unwrap();
    }
}
