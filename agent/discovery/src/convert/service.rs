//! `istio.workload.Service` to [`Service`].

use ipnet::IpNet;
use weir_model::{
    GatewayAddress, HealthPolicy, IpFamilies, LoadBalancing, LoadBalancingMode, Scope, Service, ServiceKey,
    Visibility,
};
use weir_proto::workload as proto;

use super::common::{gateway, ip, known, ports};
use super::connections::audiences;
use super::rejection::{Fault, Reason, Rejection, within};

/// Converts a service.
///
/// An entry of `subject_alt_names` that is no SPIFFE id of the mesh is left out: no peer could prove it. An
/// unknown `visibility` is PUBLIC.
///
/// # Errors
/// A missing key, a bad address or port, an enum number that is not known, a waypoint without a destination.
pub fn service(message: proto::Service) -> Result<Service, Rejection> {
    let resource = format!("{}/{}", message.namespace, message.hostname);
    build(message).map_err(|(field, reason)| Rejection { resource, field, reason })
}

fn build(message: proto::Service) -> Result<Service, Fault> {
    for (field, value) in [("namespace", &message.namespace), ("hostname", &message.hostname)] {
        if value.is_empty() {
            return Err((field.into(), Reason::Missing));
        }
    }
    let mut service = Service::new(ServiceKey::new(&message.namespace, &message.hostname));
    for (place, address) in message.addresses.iter().enumerate() {
        add_address(&mut service, address).map_err(within(format_args!("addresses[{place}]")))?;
    }
    service.name = message.name.into();
    service.ports = ports(&message.ports)?;
    service.subject_alt_names =
        message.subject_alt_names.iter().filter_map(|name| name.parse().ok()).collect();
    service.waypoint = message.waypoint.map(gateway).transpose().map_err(within("waypoint"))?;
    service.weighted_waypoints = weighted_waypoints(message.weighted_waypoints)?;
    service.load_balancing = match message.load_balancing {
        Some(balancing) => load_balancing(&balancing).map_err(within("load_balancing"))?,
        None => LoadBalancing::default(),
    };
    service.ip_families = match known("ip_families", "IPFamilies", message.ip_families)? {
        proto::IpFamilies::Automatic => IpFamilies::Automatic,
        proto::IpFamilies::Ipv4Only => IpFamilies::Ipv4Only,
        proto::IpFamilies::Ipv6Only => IpFamilies::Ipv6Only,
        proto::IpFamilies::Dual => IpFamilies::Dual,
    };
    service.canonical = message.canonical;
    service.visibility = match proto::Visibility::try_from(message.visibility) {
        Ok(proto::Visibility::Namespace) => Visibility::Namespace,
        Ok(proto::Visibility::Public) | Err(_) => Visibility::Public,
    };
    service.audiences = audiences(&message.extensions)?;
    Ok(service)
}

fn add_address(service: &mut Service, message: &proto::NetworkAddress) -> Result<(), Fault> {
    let ip = ip(&message.address).map_err(within("address"))?;
    let network = message.network.as_str().into();
    match message.length {
        None => service.vips.push((network, ip)),
        Some(length) => {
            let net = u8::try_from(length).ok().and_then(|bits| IpNet::new(ip, bits).ok());
            let net = net.ok_or_else(|| ("length".to_owned(), Reason::PrefixLength { length }))?;
            service.cidr_vips.push((network, net.trunc()));
        }
    }
    Ok(())
}

fn weighted_waypoints(weighted: Vec<proto::WeightedWaypoint>) -> Result<Vec<(GatewayAddress, u32)>, Fault> {
    let one = |(place, choice): (usize, proto::WeightedWaypoint)| {
        let field = format!("weighted_waypoints[{place}].destination");
        let destination = choice.destination.ok_or_else(|| (field.clone(), Reason::Missing))?;
        Ok((gateway(destination).map_err(within(field))?, choice.weight))
    };
    weighted.into_iter().enumerate().map(one).collect()
}

fn load_balancing(message: &proto::LoadBalancing) -> Result<LoadBalancing, Fault> {
    let scope = |(place, number): (usize, &i32)| scope(&format!("routing_preference[{place}]"), *number);
    let mode = match known("mode", "LoadBalancing.Mode", message.mode)? {
        proto::load_balancing::Mode::UnspecifiedMode => LoadBalancingMode::Unspecified,
        proto::load_balancing::Mode::Strict => LoadBalancingMode::Strict,
        proto::load_balancing::Mode::Failover => LoadBalancingMode::Failover,
        proto::load_balancing::Mode::Passthrough => LoadBalancingMode::Passthrough,
    };
    let health_policy = match known("health_policy", "LoadBalancing.HealthPolicy", message.health_policy)? {
        proto::load_balancing::HealthPolicy::OnlyHealthy => HealthPolicy::OnlyHealthy,
        proto::load_balancing::HealthPolicy::AllowAll => HealthPolicy::AllowAll,
    };
    let routing_preference =
        message.routing_preference.iter().enumerate().map(scope).collect::<Result<_, _>>()?;
    Ok(LoadBalancing { routing_preference, mode, health_policy })
}

fn scope(field: &str, number: i32) -> Result<Scope, Fault> {
    Ok(match known(field, "LoadBalancing.Scope", number)? {
        proto::load_balancing::Scope::UnspecifiedScope => {
            return Err((field.to_owned(), Reason::UnknownEnum { kind: "LoadBalancing.Scope", number }));
        }
        proto::load_balancing::Scope::Region => Scope::Region,
        proto::load_balancing::Scope::Zone => Scope::Zone,
        proto::load_balancing::Scope::Subzone => Scope::Subzone,
        proto::load_balancing::Scope::Node => Scope::Node,
        proto::load_balancing::Scope::Cluster => Scope::Cluster,
        proto::load_balancing::Scope::Network => Scope::Network,
    })
}
