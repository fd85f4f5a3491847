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
        let field = Distribution::named(&service.traffic_distribution);
        field.or_else(|| said(&service.meta, namespace)).and_then(Distribution::balancing)
    };
    if service.publish_not_ready {
        balancing.get_or_insert_default().health_policy = HealthPolicy::AllowAll.into();
    }
    balancing
}

/// The annotation on an object before the one on its namespace.
pub(super) fn annotated(meta: &Meta, namespace: Option<&Meta>) -> Option<LoadBalancing> {
    said(meta, namespace).and_then(Distribution::balancing)
}

/// Every endpoint is where the client dialled.
pub(super) fn passthrough() -> LoadBalancing {
    LoadBalancing {
        routing_preference: Vec::new(),
        mode: Mode::Passthrough.into(),
        health_policy: HealthPolicy::AllowAll.into(),
    }
}

fn said(meta: &Meta, namespace: Option<&Meta>) -> Option<Distribution> {
    let value = |meta: &Meta| Distribution::named(meta.annotations.get(TRAFFIC_DISTRIBUTION)?);
    value(meta).or_else(|| value(namespace?))
}

/// Which endpoints are preferred.
enum Distribution {
    /// None; who says so does not inherit another wish.
    Any,
    SameZone,
    SameNode,
}

impl Distribution {
    /// `None`: it says nothing that is known.
    fn named(text: &str) -> Option<Self> {
        let is = |name: &str| text.eq_ignore_ascii_case(name);
        match () {
            () if is("Any") => Some(Self::Any),
            () if is("PreferClose") || is("PreferSameZone") => Some(Self::SameZone),
            () if is("PreferSameNode") => Some(Self::SameNode),
            () => None,
        }
    }

    fn balancing(self) -> Option<LoadBalancing> {
        let scopes: &[Scope] = match self {
            Self::Any => return None,
            Self::SameZone => &[Scope::Network, Scope::Region, Scope::Zone],
            Self::SameNode => &[Scope::Network, Scope::Region, Scope::Zone, Scope::Subzone, Scope::Node],
        };
        Some(LoadBalancing {
            routing_preference: scopes.iter().map(|scope| i32::from(*scope)).collect(),
            mode: Mode::Failover.into(),
            ..LoadBalancing::default()
        })
    }
}

const TRAFFIC_DISTRIBUTION: &str = "networking.istio.io/traffic-distribution";
