//! A Kubernetes service.

use std::net::IpAddr;
use std::sync::Arc;

use weir_proto::workload as proto;
use weir_resources::Service;

use super::{balancing, ports};
use crate::l7::extensions;
use crate::waypoint::{Binding, Subject, Traffic};
use crate::world::World;

/// The resource of a service that owns its name, and its waypoint.
pub(crate) fn service(world: &World, service: &Service, name: &Arc<str>) -> (proto::Service, Binding) {
    let meta = &service.meta;
    let namespace = world.namespaces.get(&meta.namespace);
    let binding = world.binding(&Subject { meta, traffic: Traffic::Service, private: false });
    let mut ips: Vec<IpAddr> = Vec::new();
    for ip in service.cluster_ips.iter().chain(&service.external_ips) {
        if !ips.contains(ip) {
            ips.push(*ip);
        }
    }
    let mut message = proto::Service {
        name: meta.name.to_string(),
        namespace: meta.namespace.to_string(),
        hostname: hostname(name).to_owned(),
        addresses: ips.into_iter().map(|ip| world.network_address(ip, None)).collect(),
        ports: ports::of_service(service),
        subject_alt_names: Vec::new(),
        waypoint: binding.address.clone(),
        load_balancing: balancing::of_service(service, namespace),
        ip_families: families(service).into(),
        extensions: Vec::new(),
        canonical: true,
        ingress_use_waypoint: super::ingress_use_waypoint(meta, namespace),
        weighted_waypoints: binding.weighted.clone(),
        visibility: proto::Visibility::Public.into(),
    };
    message.extensions = extensions(world, &message);
    (message, binding)
}

/// The host of `namespace/hostname`.
pub(super) fn hostname(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, host)| host)
}

fn families(service: &Service) -> proto::IpFamilies {
    let has = |family: &str| service.ip_families.iter().any(|f| **f == *family);
    match (has("IPv4"), has("IPv6")) {
        (true, true) => proto::IpFamilies::Dual,
        (true, false) => proto::IpFamilies::Ipv4Only,
        (false, true) => proto::IpFamilies::Ipv6Only,
        (false, false) => proto::IpFamilies::Automatic,
    }
}
