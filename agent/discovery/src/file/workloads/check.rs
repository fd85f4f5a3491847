//! What is wrong with a workload although each field by itself is fine.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use serde_saphyr::Spanned;

use crate::file::index::text;
use crate::file::place::Problems;
use crate::file::schema::{NetworkMode, TunnelProtocol, Workload};

/// What a message cannot say: features for later, and what only makes sense together.
pub(super) fn check<T>(workload: &Workload, whole: &Spanned<T>, at: &str, problems: &mut Problems) {
    let later = [
        ("hostname", &workload.hostname),
        ("waypoint", &workload.waypoint),
        ("networkGateway", &workload.network_gateway),
        ("applicationTunnel", &workload.application_tunnel),
        ("authorizationPolicies", &workload.authorization_policies),
        ("extensions", &workload.extensions),
    ];
    for (field, value) in later {
        if let Some(value) = value {
            problems.at(value.referenced, format_args!("{at}.{field}"), "is not supported yet; take it out");
        }
    }
    if let Some(value) = &workload.services {
        let message =
            "is written the other way round here: list the workload under `endpoints` of the service";
        problems.at(value.referenced, format_args!("{at}.services"), message);
    }
    for (field, value) in [("name", &workload.name), ("namespace", &workload.namespace)] {
        if value.value.is_empty() {
            problems.at(value.referenced, format_args!("{at}.{field}"), "must not be empty");
        }
    }
    if workload.addresses.is_empty() {
        problems.at(whole.referenced, format_args!("{at}.addresses"), "expected at least one IP address");
    }
    if workload.network_mode == NetworkMode::HostNetwork && workload.tunnel_protocol == TunnelProtocol::Hbone
    {
        let message = "a workload in the node's own network (HOST_NETWORK) cannot be captured; expected NONE";
        problems.at(whole.referenced, format_args!("{at}.tunnelProtocol"), message);
    }
    check_node_local(workload, at, problems);
}

fn check_node_local(workload: &Workload, at: &str, problems: &mut Problems) {
    match &workload.network_namespace {
        Some(path) if !Path::new(&path.value).is_absolute() => {
            let message = "expected an absolute path, such as /run/netns/web";
            problems.at(path.referenced, format_args!("{at}.networkNamespace"), message);
        }
        Some(path) if text(&workload.node).is_empty() => {
            let message = "means nothing without `node`: only that node can enter it";
            problems.at(path.referenced, format_args!("{at}.networkNamespace"), message);
        }
        None => {
            if let Some(port) = workload.probe_ports.first() {
                let message = "means nothing without `networkNamespace`: probes are recognised where the pod is captured";
                problems.at(port.referenced, format_args!("{at}.probePorts"), message);
            }
        }
        Some(_) => {}
    }
}

/// What at most one workload can have, and the line of the one that has it.
#[derive(Default)]
pub(super) struct Taken {
    addresses: HashMap<(String, IpAddr), u64>,
    namespaces: HashMap<(String, String), u64>,
}

impl Taken {
    pub(super) fn check(&mut self, workload: &Workload, at: &str, problems: &mut Problems) {
        for (n, address) in workload.addresses.iter().enumerate() {
            // The node's address is that of all its host-network pods.
            let Ok(ip) = address.value.parse::<IpAddr>() else { continue };
            let ip = ip.to_canonical();
            let field = format!("{at}.addresses[{n}]");
            if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() {
                problems.at(
                    address.referenced,
                    field,
                    format_args!("{ip} cannot be the address of a workload"),
                );
            } else if workload.network_mode == NetworkMode::Standard {
                let key = (text(&workload.network).to_owned(), ip);
                if let Some(line) = self.addresses.insert(key, address.referenced.line()) {
                    problems.at(
                        address.referenced,
                        field,
                        format_args!("{ip} is already an address in line {line}"),
                    );
                }
            }
        }
        let Some(path) = &workload.network_namespace else { return };
        let key = (text(&workload.node).to_owned(), path.value.clone());
        if let Some(line) = self.namespaces.insert(key, path.referenced.line()) {
            let message =
                format!("is already that of the workload in line {line}; one namespace is one workload");
            problems.at(path.referenced, format_args!("{at}.networkNamespace"), message);
        }
    }
}
