//! Through a waypoint: which one, and which of its pods.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Route, expected_identities};
use crate::endpoint::choose;
use crate::{Directory, GatewayAddress, GatewayDestination, Refusal, Service, Workload};

/// The waypoint that a connection to `service` has to pass: by weight, if some are given, or the only one.
///
/// `None`: none has to be passed. `pick` is called at most once.
pub(super) fn of_service<'a>(
    service: &'a Service,
    pick: &mut dyn FnMut(u64) -> u64,
) -> Option<&'a GatewayAddress> {
    let total: u64 = service.weighted_waypoints.iter().map(|(_, weight)| u64::from(*weight)).sum();
    if total == 0 {
        return service.waypoint.as_ref();
    }
    let mut point = pick(total);
    for (gateway, weight) in &service.weighted_waypoints {
        match point.checked_sub(u64::from(*weight)) {
            Some(rest) => point = rest,
            None => return Some(gateway),
        }
    }
    service.waypoint.as_ref()
}

/// Whether the client is that waypoint: what it sends on must not come back to it.
pub(super) fn is_client(dir: &Directory, src: &Workload, gateway: &GatewayAddress) -> bool {
    match &gateway.destination {
        GatewayDestination::Hostname(key) => src.services.contains_key(key),
        GatewayDestination::Address { network, ip } => match dir.service_by_vip(network, *ip, &src.namespace)
        {
            Some(service) => src.services.contains_key(&service.key),
            None => *network == src.network && src.addresses.contains(ip),
        },
    }
}

/// Whether `src` is a waypoint that traffic to `dst` goes through, addressed to a service of `dst` or to itself. What it
/// says of its clients can be believed: it could as well be one of them.
pub fn is_waypoint_of(dir: &Directory, src: &Workload, dst: &Workload) -> bool {
    let services = dst.services.keys().filter_map(|key| dir.service(key));
    let of_services = services.flat_map(|service| {
        let canaries = service.weighted_waypoints.iter().map(|(gateway, _)| gateway);
        service.waypoint.iter().chain(canaries)
    });
    is_own_waypoint_of(dir, src, dst) || of_services.into_iter().any(|gateway| is_client(dir, src, gateway))
}

/// Whether traffic to an address of `dst` itself goes through `src`.
pub fn is_own_waypoint_of(dir: &Directory, src: &Workload, dst: &Workload) -> bool {
    dst.waypoint.as_deref().is_some_and(|gateway| is_client(dir, src, gateway))
}

/// A tunnel to one of the waypoint's pods that asks for `dst`, where the client wanted to go.
pub(super) fn enter(
    dir: &Directory,
    src: &Workload,
    gateway: &GatewayAddress,
    destination: &dyn Fn() -> Arc<str>,
    dst: SocketAddr,
    service: Option<Arc<Service>>,
    pick: &mut dyn FnMut(u64) -> u64,
) -> Route {
    match find(dir, src, gateway, destination, dst, pick) {
        Ok(Found { workload, addr, by }) => {
            let expected = expected_identities(&workload, by.as_deref());
            Route::Tunnel { workload, addr: dst, service, expected, gateway: Some(addr), terms: None }
        }
        Err(refusal) => Route::Refuse(refusal),
    }
}

struct Found {
    workload: Arc<Workload>,
    addr: SocketAddr,
    /// The waypoint's service.
    by: Option<Arc<Service>>,
}

fn find(
    dir: &Directory,
    src: &Workload,
    gateway: &GatewayAddress,
    destination: &dyn Fn() -> Arc<str>,
    dst: SocketAddr,
    pick: &mut dyn FnMut(u64) -> u64,
) -> Result<Found, Refusal> {
    let port = gateway.hbone_mtls_port;
    let service = match &gateway.destination {
        GatewayDestination::Hostname(key) => dir.service(key),
        GatewayDestination::Address { network, ip } => {
            if let Some(workload) = dir.workload_by_ip(network, *ip) {
                let addr = SocketAddr::new(*ip, port);
                return Ok(Found { workload: workload.clone(), addr, by: None });
            }
            dir.service_by_vip(network, *ip, &src.namespace)
        }
    };
    let missing =
        || Refusal::NoSuchWaypoint { destination: destination(), waypoint: gateway.to_string().into() };
    let service = service.ok_or_else(missing)?;
    let reach = choose(dir, src, service, SocketAddr::new(dst.ip(), port), pick, None).map_err(|reason| {
        Refusal::WaypointUnreachable { destination: destination(), reason: Box::new(reason) }
    })?;
    Ok(Found { workload: reach.workload, addr: reach.addr, by: Some(service.clone()) })
}
