//! The file's workloads as messages, and from there to the model.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_saphyr::Spanned;
use weir_proto::workload as proto;

use super::Entry;
use super::index::{text, uid};
use super::place::Problems;
use super::schema::{self, Document, NetworkMode, Text, TunnelProtocol, Workload};
use crate::convert;

/// One message per workload of the file, their `services` still empty.
pub(super) fn messages(document: &Document, problems: &mut Problems) -> Vec<proto::Workload> {
    let mut taken = Taken::default();
    let mut messages = Vec::with_capacity(document.workloads.len());
    for (place, entry) in document.workloads.iter().enumerate() {
        let at = format!("workloads[{place}]");
        check(&entry.value, entry, &at, problems);
        taken.check(&entry.value, &at, problems);
        messages.push(message(&entry.value, &at, problems));
    }
    messages
}

/// The model's workloads; `None` for one that is refused, so that places stay the same.
pub(super) fn finish(
    document: &Document,
    messages: Vec<proto::Workload>,
    problems: &mut Problems,
) -> Vec<Option<Entry>> {
    let mut entries = Vec::with_capacity(messages.len());
    for (place, message) in messages.into_iter().enumerate() {
        let source = &document.workloads[place];
        let at = format!("workloads[{place}]");
        let netns = source.value.network_namespace.as_ref().map(|path| PathBuf::from(&path.value));
        let ports = source.value.probe_ports.iter().enumerate();
        let probe_ports = ports
            .filter_map(|(n, port)| problems.port(port, 1, format_args!("{at}.probePorts[{n}]")))
            .collect();
        match convert::workload(message) {
            Ok(workload) => entries.push(Some(Entry { workload, netns, probe_ports })),
            Err(rejection) => {
                problems.at(source.referenced, format_args!("{at}.{}", rejection.field), rejection.reason);
                entries.push(None);
            }
        }
    }
    entries
}

fn message(workload: &Workload, at: &str, problems: &mut Problems) -> proto::Workload {
    let mut addresses = Vec::new();
    for (n, address) in workload.addresses.iter().enumerate() {
        let ip = problems.parse::<IpAddr>(address, "an IP address", format_args!("{at}.addresses[{n}]"));
        addresses.extend(ip.map(octets));
    }
    let or_name = |value: &Text| value.as_ref().unwrap_or(&workload.name).value.clone();
    let locality = &workload.locality;
    proto::Workload {
        uid: uid(workload),
        name: workload.name.value.clone(),
        namespace: workload.namespace.value.clone(),
        addresses,
        network: text(&workload.network).to_owned(),
        tunnel_protocol: match workload.tunnel_protocol {
            TunnelProtocol::None => proto::TunnelProtocol::None,
            TunnelProtocol::Hbone => proto::TunnelProtocol::Hbone,
        } as i32,
        trust_domain: text(&workload.trust_domain).to_owned(),
        service_account: text(&workload.service_account).to_owned(),
        node: text(&workload.node).to_owned(),
        canonical_name: or_name(&workload.canonical_name),
        canonical_revision: workload.canonical_revision.as_ref().map_or("latest", |r| &r.value).to_owned(),
        workload_type: match workload.workload_type {
            schema::WorkloadType::Pod => proto::WorkloadType::Pod,
            schema::WorkloadType::Deployment => proto::WorkloadType::Deployment,
            schema::WorkloadType::Cronjob => proto::WorkloadType::Cronjob,
            schema::WorkloadType::Job => proto::WorkloadType::Job,
        } as i32,
        workload_name: or_name(&workload.workload_name),
        native_tunnel: workload.native_tunnel,
        status: match workload.status {
            schema::Status::Healthy => proto::WorkloadStatus::Healthy,
            schema::Status::Unhealthy => proto::WorkloadStatus::Unhealthy,
        } as i32,
        cluster_id: text(&workload.cluster_id).to_owned(),
        locality: Some(proto::Locality {
            region: locality.region.clone(),
            zone: locality.zone.clone(),
            subzone: locality.subzone.clone(),
        }),
        network_mode: match workload.network_mode {
            NetworkMode::Standard => proto::NetworkMode::Standard,
            NetworkMode::HostNetwork => proto::NetworkMode::HostNetwork,
        } as i32,
        capacity: workload.capacity,
        ..proto::Workload::default()
    }
}

/// What a message cannot say: features for later, and what only makes sense together.
fn check<T>(workload: &Workload, whole: &Spanned<T>, at: &str, problems: &mut Problems) {
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
struct Taken {
    addresses: HashMap<(String, IpAddr), u64>,
    namespaces: HashMap<(String, String), u64>,
}

impl Taken {
    fn check(&mut self, workload: &Workload, at: &str, problems: &mut Problems) {
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

/// The address as a message has it.
pub(super) fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}
