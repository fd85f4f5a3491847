//! The file's workloads as messages, and from there to the model.

use std::net::IpAddr;
use std::path::PathBuf;

use weir_proto::workload as proto;

mod check;

use super::Entry;
use super::index::{text, uid};
use super::place::Problems;
use super::schema::{self, Document, NetworkMode, Text, TunnelProtocol, Workload};
use crate::convert;
use check::{Taken, check};

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

/// The address as a message has it.
pub(super) fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}
