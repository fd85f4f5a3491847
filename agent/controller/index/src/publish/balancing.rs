//! How endpoints of a service are chosen.

use weir_proto::workload::LoadBalancing;
use weir_proto::workload::load_balancing::{HealthPolicy, Mode, Scope};
use weir_resources::{Meta, Service};

/// `internalTrafficPolicy` before `trafficDistribution` before the annotation on the service before the one on its
/// namespace.
pub(super) fn of_service(service: &Service, namespace: Option<&Meta>) -> Option<LoadBalancing> {
    let mut balancing = if service.internal_local {
        Some(LoadBalancing {
            routing_preference: vec![Scope::Node.into()],
            mode: Mode::Strict.into(),
            ..LoadBalancing::default()
        })
    } else {
        preferring(&service.traffic_distribution).or_else(|| annotated(&service.meta, namespace))
    };
    if service.publish_not_ready {
        balancing.get_or_insert_default().health_policy = HealthPolicy::AllowAll.into();
    }
    balancing
}

/// The annotation on an object before the one on its namespace.
pub(super) fn annotated(meta: &Meta, namespace: Option<&Meta>) -> Option<LoadBalancing> {
    let value = |meta: &Meta| preferring(meta.annotations.get(TRAFFIC_DISTRIBUTION)?);
    value(meta).or_else(|| value(namespace?))
}

/// Every endpoint is where the client dialled.
pub(super) fn passthrough() -> LoadBalancing {
    LoadBalancing {
        routing_preference: Vec::new(),
        mode: Mode::Passthrough.into(),
        health_policy: HealthPolicy::AllowAll.into(),
    }
}

fn preferring(distribution: &str) -> Option<LoadBalancing> {
    let scopes: &[Scope] = match distribution {
        "PreferClose" | "PreferSameZone" => &[Scope::Network, Scope::Region, Scope::Zone],
        "PreferSameNode" => &[Scope::Network, Scope::Region, Scope::Zone, Scope::Subzone, Scope::Node],
        _ => return None,
    };
    Some(LoadBalancing {
        routing_preference: scopes.iter().map(|scope| i32::from(*scope)).collect(),
        mode: Mode::Failover.into(),
        ..LoadBalancing::default()
    })
}

const TRAFFIC_DISTRIBUTION: &str = "networking.istio.io/traffic-distribution";
