//! The file's services as messages, and their endpoints put into the workloads' messages.

use std::collections::HashMap;

use weir_model::Identity;
use weir_proto::workload as proto;

mod address;
mod endpoint;
mod port;

use super::index::Index;
use super::place::{Problems, clip};
use super::schema::{self, Document, Service};
use crate::convert;
use address::{PodAddresses, addresses, pod_addresses};
use endpoint::endpoints;
use port::ports;

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
        && (hostname.value.is_empty() || hostname.value.contains('/'))
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
