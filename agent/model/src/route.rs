//! Where does this connection go? The source's side of every connection.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::endpoint::{Reach, choose};
use crate::{
    ConnectionPolicy, Directory, Ejected, Identity, LoadBalancingMode, OutlierPolicy, Refusal, Service,
    TunnelProtocol, Workload,
};

mod waypoint;

pub use waypoint::{is_own_waypoint_of, is_waypoint_of};

/// Where a captured connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Through a tunnel to the workload's node, or to a waypoint.
    Tunnel {
        /// The chosen destination; a waypoint's pod if there is a `gateway`.
        workload: Arc<Workload>,
        /// The authority of the CONNECT: the destination's address and the port of its application, or what was dialled if
        /// there is a `gateway`.
        addr: SocketAddr,
        /// The service that was dialled, if one was.
        service: Option<Arc<Service>>,
        /// Identities that the far end may prove; never empty.
        expected: Vec<Identity>,
        /// Where the waypoint takes tunnels, if one has to be passed: it ends the tunnel itself.
        gateway: Option<SocketAddr>,
        /// What holds for the connection; nothing if there is a `gateway`, which has terms of its own.
        terms: Option<Terms>,
    },
    /// In plaintext: the destination is known and not in the mesh.
    Direct {
        /// The chosen destination.
        workload: Arc<Workload>,
        /// Its address and the port of its application.
        addr: SocketAddr,
        /// The service that was dialled, if one was.
        service: Option<Arc<Service>>,
        /// What holds for the connection.
        terms: Option<Terms>,
    },
    /// In plaintext to where it was going: the mesh does not know the destination.
    PassThrough {
        /// The original destination.
        addr: SocketAddr,
        /// What holds for the connection, if it is to a service that chooses no endpoint.
        terms: Option<Terms>,
    },
    /// Nowhere: close it and log why.
    Refuse(Refusal),
}

/// What a DestinationRule says of a connection to a service that has no waypoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The service that was dialled.
    pub service: Arc<Service>,
    /// Its port.
    pub port: u16,
    /// What holds.
    pub policy: Arc<ConnectionPolicy>,
}

/// Who is left out of the choice among the endpoints of a port, by what holds for it.
pub type LeftOut<'a> = &'a dyn Fn(&Terms, &OutlierPolicy) -> Ejected;

/// Decides where a connection of `src` to `dst` goes.
///
/// A workload's own address comes before a service's virtual address, and what neither has is passed through.
/// `pick(n)` returns a random number below `n` and is called at most twice (a waypoint, an endpoint), with `n > 0`.
/// `left_out` says which endpoints failed lately; it is asked where a DestinationRule wants to know.
pub fn route(
    dir: &Directory,
    src: &Workload,
    dst: SocketAddr,
    pick: &mut dyn FnMut(u64) -> u64,
    left_out: LeftOut<'_>,
) -> Route {
    let dst = SocketAddr::new(dst.ip().to_canonical(), dst.port());
    if let Some(workload) = dir.workload_by_ip(&src.network, dst.ip()) {
        return to_workload(dir, src, workload, dst, pick);
    }
    match dir.service_by_vip(&src.network, dst.ip(), &src.namespace) {
        Some(service) => to_service(dir, src, service, dst, pick, left_out),
        None => Route::PassThrough { addr: dst, terms: None },
    }
}

/// Health does not count here: who dials a pod by its address wants that pod.
fn to_workload(
    dir: &Directory,
    src: &Workload,
    workload: &Arc<Workload>,
    dst: SocketAddr,
    pick: &mut dyn FnMut(u64) -> u64,
) -> Route {
    match workload.waypoint.as_deref() {
        Some(gateway) if !waypoint::is_client(dir, src, gateway) => {
            waypoint::enter(dir, src, gateway, &|| workload.uid.clone(), dst, None, pick)
        }
        _ => carry(workload.clone(), dst, None, None),
    }
}

fn to_service(
    dir: &Directory,
    src: &Workload,
    service: &Arc<Service>,
    dst: SocketAddr,
    pick: &mut dyn FnMut(u64) -> u64,
    left_out: LeftOut<'_>,
) -> Route {
    if let Some(gateway) = waypoint::of_service(service, pick)
        && !waypoint::is_client(dir, src, gateway)
    {
        let name = || service.key.to_string().into();
        return waypoint::enter(dir, src, gateway, &name, dst, Some(service.clone()), pick);
    }
    let policy = service.policy(dst.port(), &src.namespace).cloned();
    let terms = policy.map(|policy| Terms { service: service.clone(), port: dst.port(), policy });
    if service.load_balancing.mode == LoadBalancingMode::Passthrough {
        return Route::PassThrough { addr: dst, terms };
    }
    match choose(dir, src, service, dst, pick, terms.as_ref().map(|terms| (terms, left_out))) {
        Ok(Reach { workload, addr }) => carry(workload, addr, Some(service.clone()), terms),
        Err(refusal) => Route::Refuse(refusal),
    }
}

fn carry(
    workload: Arc<Workload>,
    addr: SocketAddr,
    service: Option<Arc<Service>>,
    terms: Option<Terms>,
) -> Route {
    match workload.tunnel_protocol {
        TunnelProtocol::None => Route::Direct { workload, addr, service, terms },
        TunnelProtocol::Hbone => {
            let expected = expected_identities(&workload, service.as_deref());
            Route::Tunnel { workload, addr, service, expected, gateway: None, terms }
        }
    }
}

/// The workload's own identity first: it is the one that is nearly always proved.
fn expected_identities(workload: &Workload, service: Option<&Service>) -> Vec<Identity> {
    let mut expected = vec![workload.identity()];
    for name in service.map_or(&[][..], |s| &s.subject_alt_names) {
        if !expected.contains(name) {
            expected.push(name.clone());
        }
    }
    expected
}

#[cfg(test)]
mod tests;
