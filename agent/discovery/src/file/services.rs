//! The file's services as messages, and their endpoints put into the workloads' messages.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde_saphyr::Spanned;
use weir_model::Identity;
use weir_proto::workload as proto;

use super::index::{Index, text};
use super::place::{Problems, clip};
use super::schema::{self, Document, Port, Service};
use super::workloads::octets;
use crate::convert;

/// One message per service of the file.
pub(super) fn messages(
    document: &Document,
    index: &Index,
    workloads: &mut [proto::Workload],
    problems: &mut Problems,
) -> Vec<proto::Service> {
    let pods = pod_addresses(workloads);
    let mut keys: HashMap<(String, String), u64> = HashMap::new();
    let mut messages = Vec::with_capacity(document.services.len());
    for (place, entry) in document.services.iter().enumerate() {
        let at = format!("services[{place}]");
        check(&entry.value, &at, problems);
        let message = message(&entry.value, &pods, &at, problems);
        let key = (message.namespace.clone(), message.hostname.clone());
        if let Some(line) = keys.insert(key, entry.referenced.line()) {
            let name = format!("{}/{}", message.namespace, message.hostname);
            let field = format!("{at}.hostname");
            let place = entry.value.hostname.as_ref().unwrap_or(&entry.value.name).referenced;
            problems.at(place, field, format_args!("service {} is already in line {line}", clip(&name)));
        }
        endpoints(&entry.value, &message, index, workloads, &at, problems);
        messages.push(message);
    }
    messages
}

/// The model's services; `None` for one that is refused.
pub(super) fn finish(
    document: &Document,
    messages: Vec<proto::Service>,
    problems: &mut Problems,
) -> Vec<Option<weir_model::Service>> {
    let mut services = Vec::with_capacity(messages.len());
    for (place, message) in messages.into_iter().enumerate() {
        services.push(match convert::service(message) {
            Ok(service) => Some(service),
            Err(rejection) => {
                let field = format!("services[{place}].{}", rejection.field);
                problems.at(document.services[place].referenced, field, rejection.reason);
                None
            }
        });
    }
    services
}

/// Who has an address: network, raw bytes, uid.
type PodAddresses = HashMap<(String, Vec<u8>), String>;

fn pod_addresses(workloads: &[proto::Workload]) -> PodAddresses {
    let mut pods = PodAddresses::new();
    for workload in workloads.iter().filter(|w| w.network_mode() == proto::NetworkMode::Standard) {
        for address in &workload.addresses {
            pods.insert((workload.network.clone(), address.clone()), workload.uid.clone());
        }
    }
    pods
}

fn message(service: &Service, pods: &PodAddresses, at: &str, problems: &mut Problems) -> proto::Service {
    let (name, namespace) = (&service.name.value, &service.namespace.value);
    let hostname = service.hostname.as_ref().map(|h| h.value.clone());
    let balancing = &service.load_balancing;
    proto::Service {
        name: name.clone(),
        namespace: namespace.clone(),
        hostname: hostname.unwrap_or_else(|| format!("{name}.{namespace}.svc.cluster.local")),
        addresses: addresses(service, pods, at, problems),
        ports: ports(&service.ports, at, problems),
        subject_alt_names: service.subject_alt_names.iter().map(|name| name.value.clone()).collect(),
        load_balancing: Some(proto::LoadBalancing {
            routing_preference: balancing.routing_preference.iter().map(|s| scope(*s) as i32).collect(),
            mode: match balancing.mode {
                schema::BalancingMode::UnspecifiedMode => proto::load_balancing::Mode::UnspecifiedMode,
                schema::BalancingMode::Strict => proto::load_balancing::Mode::Strict,
                schema::BalancingMode::Failover => proto::load_balancing::Mode::Failover,
                schema::BalancingMode::Passthrough => proto::load_balancing::Mode::Passthrough,
            } as i32,
            health_policy: match balancing.health_policy {
                schema::HealthPolicy::OnlyHealthy => proto::load_balancing::HealthPolicy::OnlyHealthy,
                schema::HealthPolicy::AllowAll => proto::load_balancing::HealthPolicy::AllowAll,
            } as i32,
        }),
        ip_families: match service.ip_families {
            schema::IpFamilies::Automatic => proto::IpFamilies::Automatic,
            schema::IpFamilies::Ipv4Only => proto::IpFamilies::Ipv4Only,
            schema::IpFamilies::Ipv6Only => proto::IpFamilies::Ipv6Only,
            schema::IpFamilies::Dual => proto::IpFamilies::Dual,
        } as i32,
        canonical: service.canonical,
        visibility: match service.visibility {
            schema::Visibility::Public => proto::Visibility::Public,
            schema::Visibility::Namespace => proto::Visibility::Namespace,
        } as i32,
        ..proto::Service::default()
    }
}

fn scope(scope: schema::Scope) -> proto::load_balancing::Scope {
    match scope {
        schema::Scope::Region => proto::load_balancing::Scope::Region,
        schema::Scope::Zone => proto::load_balancing::Scope::Zone,
        schema::Scope::Subzone => proto::load_balancing::Scope::Subzone,
        schema::Scope::Node => proto::load_balancing::Scope::Node,
        schema::Scope::Cluster => proto::load_balancing::Scope::Cluster,
        schema::Scope::Network => proto::load_balancing::Scope::Network,
    }
}

fn addresses(
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

fn ports(ports: &[Spanned<Port>], at: &str, problems: &mut Problems) -> Vec<proto::Port> {
    let mut seen = HashSet::new();
    let mut messages = Vec::new();
    for (n, entry) in ports.iter().enumerate() {
        let field = format!("{at}.ports[{n}]");
        let port = &entry.value;
        let Some(service_port) = problems.port(&port.service_port, 1, format_args!("{field}.servicePort"))
        else {
            continue;
        };
        let target = port.target_port.as_ref().unwrap_or(&port.service_port);
        let Some(target_port) = problems.port(target, 0, format_args!("{field}.targetPort")) else {
            continue;
        };
        if !seen.insert(service_port) {
            let message = format!("port {service_port} is in the list twice");
            problems.at(port.service_port.referenced, format_args!("{field}.servicePort"), message);
        }
        let app_protocol = match port.app_protocol {
            schema::AppProtocol::Unknown => proto::AppProtocol::Unknown,
            schema::AppProtocol::Http11 => proto::AppProtocol::Http11,
            schema::AppProtocol::Http2 => proto::AppProtocol::Http2,
            schema::AppProtocol::Grpc => proto::AppProtocol::Grpc,
            schema::AppProtocol::Tcp => proto::AppProtocol::Tcp,
            schema::AppProtocol::Tls => proto::AppProtocol::Tls,
        } as i32;
        let (service_port, target_port) = (u32::from(service_port), u32::from(target_port));
        messages.push(proto::Port { service_port, target_port, app_protocol });
    }
    messages
}

/// A workload says which services it serves: here the file's other direction is turned around.
fn endpoints(
    service: &Service,
    message: &proto::Service,
    index: &Index,
    workloads: &mut [proto::Workload],
    at: &str,
    problems: &mut Problems,
) {
    let key = format!("{}/{}", message.namespace, message.hostname);
    for (n, entry) in service.endpoints.iter().enumerate() {
        let field = format!("{at}.endpoints[{n}]");
        let name = clip(&entry.value.workload);
        let Some(place) = index.find(&entry.value.workload, &message.namespace) else {
            let text = format!(
                "no workload '{name}'; expected a uid, a name in namespace {}, or namespace/name",
                clip(&message.namespace)
            );
            problems.at(entry.referenced, field, text);
            continue;
        };
        let own = ports(&entry.value.ports, &field, problems);
        for (n, port) in own.iter().enumerate() {
            let (known, place) =
                (&message.ports, entry.value.ports.get(n).map_or(entry.referenced, |p| p.referenced));
            if !known.iter().any(|p| p.service_port == port.service_port) {
                let text = format!("the service has no port {}", port.service_port);
                problems.at(place, format_args!("{field}.ports[{n}].servicePort"), text);
            }
        }
        let list = proto::PortList { ports: own };
        if workloads[place].services.insert(key.clone(), list).is_some() {
            problems.at(entry.referenced, field, format_args!("workload '{name}' is in the list twice"));
        }
    }
}

/// What a message cannot say.
fn check(service: &Service, at: &str, problems: &mut Problems) {
    let later = [
        ("waypoint", &service.waypoint),
        ("weightedWaypoints", &service.weighted_waypoints),
        ("ingressUseWaypoint", &service.ingress_use_waypoint),
        ("extensions", &service.extensions),
    ];
    for (field, value) in later {
        if let Some(value) = value {
            problems.at(value.referenced, format_args!("{at}.{field}"), "is not supported yet; take it out");
        }
    }
    for (field, value) in [("name", &service.name), ("namespace", &service.namespace)] {
        if value.value.is_empty() || value.value.contains('/') {
            let message = format!("'{}' is not a name", clip(&value.value));
            problems.at(value.referenced, format_args!("{at}.{field}"), message);
        }
    }
    if let Some(hostname) = &service.hostname
        && (hostname.value.is_empty() || text(&service.hostname).contains('/'))
    {
        let message = format!("'{}' is not a host name", clip(&hostname.value));
        problems.at(hostname.referenced, format_args!("{at}.hostname"), message);
    }
    for (n, name) in service.subject_alt_names.iter().enumerate() {
        if let Err(error) = name.value.parse::<Identity>() {
            problems.at(name.referenced, format_args!("{at}.subjectAltNames[{n}]"), error);
        }
    }
}
