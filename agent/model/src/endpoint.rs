//! Which workload serves a connection to a service: ports, health, reach, locality, weight, address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::{
    Directory, Health, HealthPolicy, IpFamilies, LoadBalancing, LoadBalancingMode, Refusal, Scope, Service,
    Workload,
};

/// A chosen endpoint and the address of its application.
pub(crate) struct Reach {
    pub(crate) workload: Arc<Workload>,
    pub(crate) addr: SocketAddr,
}

/// Chooses an endpoint of `service` for a connection of `src` to `dst`, a virtual address of the service.
///
/// An endpoint that this version cannot reach is not a candidate; the refusal names it when nothing else is left.
pub(crate) fn choose(
    dir: &Directory,
    src: &Workload,
    service: &Service,
    dst: SocketAddr,
    pick: &mut dyn FnMut(u64) -> u64,
) -> Result<Reach, Refusal> {
    let port = dst.port();
    let Some(row) = service.port(port) else {
        return Err(Refusal::NoSuchPort { service: service.key.clone(), port });
    };
    let mut out_of_reach = None;
    let mut best = Candidates::default();
    for workload in dir.endpoints(&service.key) {
        let Some(target) = target_port(workload, service, port, row.target_port) else {
            continue;
        };
        if workload.status == Health::Unhealthy
            && service.load_balancing.health_policy == HealthPolicy::OnlyHealthy
        {
            continue;
        }
        let Some(rank) = rank(&service.load_balancing, src, workload) else {
            continue;
        };
        match reach(src, service, workload, dst.ip()) {
            Ok(Some(ip)) => best.offer(rank, workload, SocketAddr::new(ip, target)),
            Ok(None) => {}
            Err(reason) => out_of_reach = Some(reason),
        }
    }
    let endpoints = dir.endpoint_count(&service.key);
    best.draw(pick).ok_or_else(|| {
        out_of_reach.unwrap_or(Refusal::NoHealthyEndpoint { service: service.key.clone(), port, endpoints })
    })
}

/// The endpoint's own table goes first; 0 means that nobody says a port.
fn target_port(workload: &Workload, service: &Service, port: u16, default: u16) -> Option<u16> {
    let own =
        workload.services.get(&service.key).and_then(|ports| ports.iter().find(|p| p.service_port == port));
    Some(own.map_or(default, |p| p.target_port)).filter(|target| *target != 0)
}

/// How near the endpoint is, more is nearer; `None` if the mode does not let it serve this client.
fn rank(balancing: &LoadBalancing, src: &Workload, dst: &Workload) -> Option<usize> {
    let scopes = &balancing.routing_preference;
    let near = |scope: &Scope| matches(*scope, src, dst);
    match balancing.mode {
        LoadBalancingMode::Unspecified | LoadBalancingMode::Passthrough => Some(0),
        LoadBalancingMode::Strict => scopes.iter().all(near).then_some(0),
        LoadBalancingMode::Failover => Some(failover_rank(scopes, near)),
    }
}

/// The number of leading scopes that match. A first scope NETWORK counts and does not stop the count, so that
/// among the endpoints of other networks the nearer still comes first.
fn failover_rank(scopes: &[Scope], near: impl Fn(&Scope) -> bool) -> usize {
    match scopes {
        [Scope::Network, rest @ ..] if !near(&Scope::Network) => rest.iter().take_while(|s| near(s)).count(),
        all => all.iter().take_while(|s| near(s)).count(),
    }
}

/// A zone is a zone of its region: equal names in two regions are two zones.
fn matches(scope: Scope, src: &Workload, dst: &Workload) -> bool {
    let (a, b) = (&src.locality, &dst.locality);
    match scope {
        Scope::Region => a.region == b.region,
        Scope::Zone => a.region == b.region && a.zone == b.zone,
        Scope::Subzone => a == b,
        Scope::Node => src.node == dst.node && src.cluster_id == dst.cluster_id,
        Scope::Cluster => src.cluster_id == dst.cluster_id,
        Scope::Network => src.network == dst.network,
    }
}

/// The address to use, `None` if the endpoint has none of an allowed family.
fn reach(
    src: &Workload,
    service: &Service,
    workload: &Workload,
    wanted: IpAddr,
) -> Result<Option<IpAddr>, Refusal> {
    let destination = || service.key.to_string().into();
    if workload.network != src.network {
        return Err(Refusal::RemoteNetworkNotYet {
            destination: destination(),
            network: workload.network.clone(),
        });
    }
    if workload.addresses.is_empty() && !workload.hostname.is_empty() {
        return Err(Refusal::HostnameNotYet {
            destination: destination(),
            hostname: workload.hostname.clone(),
        });
    }
    Ok(address(&workload.addresses, service.ip_families, wanted))
}

/// The dialled address itself if the endpoint has it, else one of an allowed family, the dialled family first.
fn address(addresses: &[IpAddr], families: IpFamilies, wanted: IpAddr) -> Option<IpAddr> {
    let allowed = |ip: &&IpAddr| match families {
        IpFamilies::Automatic | IpFamilies::Dual => true,
        IpFamilies::Ipv4Only => ip.is_ipv4(),
        IpFamilies::Ipv6Only => ip.is_ipv6(),
    };
    let exact = addresses.iter().find(|ip| **ip == wanted);
    let same_family = || addresses.iter().filter(allowed).find(|ip| ip.is_ipv4() == wanted.is_ipv4());
    exact.or_else(same_family).or_else(|| addresses.iter().find(allowed)).copied()
}

/// The candidates of the best rank so far, with their total weight.
#[derive(Default)]
struct Candidates<'a> {
    rank: usize,
    total: u64,
    list: Vec<(&'a Arc<Workload>, SocketAddr)>,
}

impl<'a> Candidates<'a> {
    fn offer(&mut self, rank: usize, workload: &'a Arc<Workload>, addr: SocketAddr) {
        // Weight 0 means "no traffic"; kept, it would win a rank that nobody could be drawn from.
        if rank < self.rank || workload.capacity == 0 {
            return;
        }
        if rank > self.rank {
            *self = Self { rank, ..Self::default() };
        }
        self.total += u64::from(workload.capacity);
        self.list.push((workload, addr));
    }

    fn draw(self, pick: &mut dyn FnMut(u64) -> u64) -> Option<Reach> {
        if self.list.is_empty() {
            return None;
        }
        let mut point = if self.list.len() == 1 { 0 } else { pick(self.total) };
        let last = self.list.len() - 1;
        for (place, (workload, addr)) in self.list.into_iter().enumerate() {
            let weight = u64::from(workload.capacity);
            if point < weight || place == last {
                return Some(Reach { workload: workload.clone(), addr });
            }
            point -= weight;
        }
        None
    }
}
