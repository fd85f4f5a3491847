//! Virtual addresses and ranges, and who else has them.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;
use weir_proto::workload as proto;

use crate::file::place::{Problems, clip};
use crate::file::schema::{self, Service};
use crate::file::workloads::octets;

/// Who has an address: network, raw bytes, uid.
pub(super) type PodAddresses = HashMap<(String, Vec<u8>), String>;

/// The addresses that pods have for themselves.
pub(super) fn pod_addresses(workloads: &[proto::Workload]) -> PodAddresses {
    let mut pods = PodAddresses::new();
    for workload in workloads.iter().filter(|w| w.network_mode() == proto::NetworkMode::Standard) {
        for address in &workload.addresses {
            pods.insert((workload.network.clone(), address.clone()), workload.uid.clone());
        }
    }
    pods
}

/// The addresses that are good.
pub(super) fn addresses(
    service: &Service,
    pods: &PodAddresses,
    at: &str,
    problems: &mut Problems,
) -> Vec<proto::NetworkAddress> {
    let mut seen = HashSet::new();
    let mut messages = Vec::new();
    for (n, entry) in service.addresses.iter().enumerate() {
        let field = format!("{at}.addresses[{n}]");
        let schema::Address { network, address } = &entry.value;
        let parsed: Result<(IpAddr, Option<u32>), _> = match address.parse::<IpNet>() {
            Ok(net) => Ok((net.addr(), Some(u32::from(net.prefix_len())))),
            Err(_) => address.parse::<IpAddr>().map(|ip| (ip, None)),
        };
        let Ok((ip, length)) = parsed else {
            let message =
                format!("'{}' is neither an IP address nor a range such as 10.1.0.0/16", clip(address));
            problems.at(entry.referenced, field, message);
            continue;
        };
        let address = octets(ip.to_canonical());
        if !seen.insert((network, address.clone(), length)) {
            problems.at(entry.referenced, field, format_args!("{ip} is in the list twice"));
        } else if let (Some(uid), None) = (pods.get(&(network.clone(), address.clone())), length) {
            problems.at(
                entry.referenced,
                field,
                format_args!("{ip} is the address of workload {}", clip(uid)),
            );
        } else {
            messages.push(proto::NetworkAddress { network: network.clone(), address, length });
        }
    }
    messages
}
