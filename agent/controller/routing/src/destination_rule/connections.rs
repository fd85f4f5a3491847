//! What node agents are told of connections to a service that has no waypoint.
//!
//! A waypoint hears the rules as a client of its own namespace. Agents carry the connections of everybody, so they are told what
//! holds for the clients of each namespace that has a say.

use std::collections::BTreeSet;

use weir_proto::{l4, l7};

use super::backend::merge;
use super::level::Level;
use super::selection::select;
use super::{DestinationRule, outlier, pool};
use crate::problem::{Problems, Remark};
use crate::value::covers;
use crate::{Mesh, ObjectRef, Service};

/// What holds for connections to a service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Connections {
    /// The neutral form; without audiences if nothing holds.
    pub form: l4::TrafficPolicy,
    /// The rules that decide for somebody, whether they have something to say of connections or not.
    pub deciding: BTreeSet<ObjectRef>,
    /// What is to be said of DestinationRules beside their own problems.
    pub remarks: BTreeSet<Remark>,
}

/// What holds for connections that no waypoint carries. `rules` has at least those whose host may be the service's, and the order
/// of them does not matter.
pub fn connections(service: &Service, rules: &[&DestinationRule], mesh: &Mesh) -> Connections {
    let mut found = Connections::default();
    let fits = |rule: &&&DestinationRule| covers(&rule.host(mesh), &service.hostname);
    let rules: Vec<_> = rules.iter().filter(fits).copied().collect();
    let said = rules.iter().flat_map(|rule| rule.export_to.names().chain([&*rule.meta.namespace]));
    let namespaces: BTreeSet<&str> = said.collect();
    let everybody = ports(service, SOMEBODY, &rules, mesh, &mut found);
    let mut audiences: Vec<l4::Audience> = Vec::new();
    for namespace in namespaces {
        let ports = ports(service, namespace, &rules, mesh, &mut found);
        if ports == everybody {
            continue;
        }
        match audiences.iter_mut().find(|audience| audience.ports == ports) {
            Some(audience) => audience.namespaces.push(namespace.to_owned()),
            None => audiences.push(l4::Audience { namespaces: vec![namespace.to_owned()], ports }),
        }
    }
    if !everybody.is_empty() {
        audiences.push(l4::Audience { namespaces: Vec::new(), ports: everybody });
    }
    found.form = l4::TrafficPolicy { audiences };
    found
}

/// What holds for the clients of a namespace.
fn ports(
    service: &Service,
    client: &str,
    rules: &[&DestinationRule],
    mesh: &Mesh,
    found: &mut Connections,
) -> Vec<l4::PortPolicy> {
    let (merged, remarks) = merge(service, select(service, client, rules, mesh));
    found.remarks.extend(remarks);
    let Some(rule) = merged.policy else { return Vec::new() };
    found.deciding.insert(rule.object.clone());
    service.ports.iter().filter_map(|port| of_port(rule, port.number)).collect()
}

/// `None`: nothing that an agent could do is said.
fn of_port(rule: &DestinationRule, port: u16) -> Option<l4::PortPolicy> {
    // What is wrong is told when the rule is looked at for itself.
    let problems = &mut Problems::default();
    let level = Level::default().with(&rule.policy, "spec.trafficPolicy", port, problems);
    let tcp = pool::of_tcp(&level.connection_pool, problems);
    let outlier = outlier::outlier_detection(&level.outlier_detection, problems);
    let silent = l4::PortPolicy { port: port.into(), origin: rule.object.to_string(), ..Default::default() };
    let policy = l4::PortPolicy {
        max_connections: tcp.max_connections,
        connect_timeout: tcp.connect_timeout.filter(is_some_time),
        keepalive: tcp.tcp_keepalive.map(|keepalive| l4::Keepalive {
            probes: keepalive.probes,
            time: keepalive.time.filter(is_some_time),
            interval: keepalive.interval.filter(is_some_time),
        }),
        outlier_detection: outlier.and_then(|outlier| ejection(&outlier)),
        ..silent.clone()
    };
    (policy != silent).then_some(policy)
}

/// Of what a waypoint counts, an agent sees connections that cannot be made. Those are errors of the gateway and 5xx there,
/// unless such failures count for themselves.
fn ejection(outlier: &l7::OutlierDetection) -> Option<l4::OutlierDetection> {
    let counts = match outlier.split_local_failures {
        true => [outlier.consecutive_local_failures, 0],
        false => [outlier.consecutive_5xx, outlier.consecutive_gateway_errors],
    };
    Some(l4::OutlierDetection {
        consecutive_failures: counts.into_iter().filter(|count| *count > 0).min()?,
        interval: outlier.interval.filter(is_some_time),
        base_ejection_time: outlier.base_ejection_time.filter(is_some_time),
        max_ejection_percent: outlier.max_ejection_percent,
        min_health_percent: outlier.min_health_percent,
    })
}

fn is_some_time(time: &prost_types::Duration) -> bool {
    *time != prost_types::Duration::default()
}

/// A client of a namespace that nobody names: none has this name.
const SOMEBODY: &str = "";
