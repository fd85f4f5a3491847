//! What a service entry must not say. The rules are Istio's.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::parse::read::quote;
use crate::{Problem, Resolution, ServiceEntry, names};

/// One of `spec.addresses`: an address or a range.
pub(super) fn address(place: usize, text: &str) -> Result<IpNet, Problem> {
    let single = text.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical()));
    single.or_else(|_| text.parse::<IpNet>().map(|net| net.trunc())).map_err(|_| {
        let message = format!("{} is not an address or a CIDR", quote(text));
        Problem::new(format!("spec.addresses[{place}]"), message)
    })
}

pub(super) fn check(entry: &ServiceEntry) -> Result<(), Problem> {
    hosts(entry)?;
    ranges(entry)?;
    ports(entry)?;
    endpoints(entry)?;
    export_to(entry)
}

fn hosts(entry: &ServiceEntry) -> Result<(), Problem> {
    if entry.hosts.is_empty() {
        return Err(Problem::new("spec.hosts", "is empty; a service entry is known by its hosts"));
    }
    let mut seen = HashSet::new();
    for (place, host) in entry.hosts.iter().enumerate() {
        let wrong = |message: String| Err(Problem::new(format!("spec.hosts[{place}]"), message));
        if !names::is_wildcard_host(host) {
            return wrong(format!("{} is not a host, nor *. and a host", quote(host)));
        }
        if !seen.insert(host) {
            return wrong(format!("{} is there twice", quote(host)));
        }
        let resolved = matches!(entry.resolution, Resolution::Dns | Resolution::DnsRoundRobin);
        if resolved && entry.endpoints.is_empty() && entry.selector.is_empty() && host.starts_with('*') {
            return wrong(format!("{} cannot be resolved: give endpoints, or a host without *", quote(host)));
        }
    }
    Ok(())
}

fn ranges(entry: &ServiceEntry) -> Result<(), Problem> {
    let may_be_range = matches!(entry.resolution, Resolution::None | Resolution::Static);
    let is_range = |net: &IpNet| net.prefix_len() != net.max_prefix_len();
    match entry.addresses.iter().position(is_range).filter(|_| !may_be_range) {
        Some(place) => Err(Problem::new(
            format!("spec.addresses[{place}]"),
            format!("{} is a range, which only resolution NONE and STATIC can have", entry.addresses[place]),
        )),
        None => Ok(()),
    }
}

fn ports(entry: &ServiceEntry) -> Result<(), Problem> {
    let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
    for (place, port) in entry.ports.iter().enumerate() {
        let wrong =
            |field: &str, message: String| Err(Problem::new(format!("spec.ports[{place}].{field}"), message));
        if port.name.is_empty() {
            return wrong("name", "is empty".into());
        }
        if !names.insert(&port.name) {
            return wrong("name", format!("{} is there twice", quote(&port.name)));
        }
        if !numbers.insert(port.port) {
            return wrong("number", format!("{} is there twice", port.port));
        }
    }
    Ok(())
}

fn endpoints(entry: &ServiceEntry) -> Result<(), Problem> {
    let Some(first) = entry.endpoints.first() else { return Ok(()) };
    let wrong = |message: &str| Err(Problem::new("spec.endpoints", message));
    if !entry.selector.is_empty() {
        return wrong("has endpoints and a workloadSelector; expected one of them");
    }
    match entry.resolution {
        Resolution::None => return wrong("has endpoints, which resolution NONE does not use"),
        Resolution::DynamicDns => return wrong("has endpoints, which resolution DYNAMIC_DNS does not use"),
        Resolution::DnsRoundRobin if entry.endpoints.len() > 1 => {
            return wrong("has more than one endpoint, and resolution DNS_ROUND_ROBIN takes one");
        }
        Resolution::DnsRoundRobin | Resolution::Dns | Resolution::Static => {}
    }
    if first.address.starts_with("unix://") && entry.ports.len() != 1 {
        return Err(Problem::new("spec.ports", "a unix socket serves exactly one port"));
    }
    for (place, endpoint) in entry.endpoints.iter().enumerate() {
        let address = &endpoint.address;
        let is_ip = address.is_empty() || address.starts_with("unix://") || address.parse::<IpAddr>().is_ok();
        if entry.resolution == Resolution::Static && !is_ip {
            let message = format!("{} is a name, and resolution STATIC takes addresses", quote(address));
            return Err(Problem::new(format!("spec.endpoints[{place}].address"), message));
        }
        let known = |name: &str| entry.ports.iter().any(|port| &*port.name == name);
        if let Some(name) = endpoint.ports.keys().find(|name| !known(name)) {
            let message = format!("{} is no port of the service entry", quote(name));
            return Err(Problem::new(format!("spec.endpoints[{place}].ports"), message));
        }
    }
    Ok(())
}

fn export_to(entry: &ServiceEntry) -> Result<(), Problem> {
    let good = |text: &str| matches!(text, "*" | "." | "~") || names::is_label(text);
    match entry.export_to.iter().position(|text| !good(text)) {
        Some(place) => Err(Problem::new(
            format!("spec.exportTo[{place}]"),
            format!("{} is not a namespace, nor . or * or ~", quote(&entry.export_to[place])),
        )),
        None => Ok(()),
    }
}
