//! Which workload serves a connection to a service: ports, health, reach, locality, weight, address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::{
    Directory, Ejected, Health, HealthPolicy, IpFamilies, LeftOut, LoadBalancing, LoadBalancingMode, Refusal,
    Scope, Service, Terms, Workload,
};

/// A chosen endpoint and the address of its application.
pub(crate) struct Reach {
    pub(crate) workload: Arc<Workload>,
    pub(crate) addr: SocketAddr,
}

/// Chooses an endpoint of `service` for a connection of `src` to `dst`, a virtual address of the service.
///
/// An endpoint that this version cannot reach is not a candidate; the refusal names it when nothing else is left. One that is left
/// out because it failed is none either, unless so few are healthy that health means nothing.
pub(crate) fn choose(
    dir: &Directory,
    src: &Workload,
    service: &Service,
    dst: SocketAddr,
    pick: &mut dyn FnMut(u64) -> u64,
    terms: Option<(&Terms, LeftOut<'_>)>,
) -> Result<Reach, Refusal> {
    let port = dst.port();
    let Some(row) = service.port(port) else {
        return Err(Refusal::NoSuchPort { service: service.key.clone(), port });
    };
    let mut out_of_reach = None;
    let mut best = Candidates::default();
    let mut left_out = 0;
    let target = |workload: &Workload| target_port(workload, service, port, row.target_port);
    let health = Healthy::new(dir, service, terms, &target);
    for workload in dir.endpoints(&service.key) {
        let Some(target) = target(workload) else {
            continue;
        };
        match health.state(workload) {
            State::Serves => {}
            State::Unhealthy => continue,
            State::LeftOut => {
                left_out += 1;
                continue;
            }
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
    let nobody = || match (left_out, terms) {
        (1.., Some((terms, _))) => {
            let origin = terms.policy.origin.clone();
            Refusal::AllLeftOut { service: service.key.clone(), port, endpoints: left_out, origin }
        }
        _ => {
            let endpoints = dir.endpoint_count(&service.key);
            Refusal::NoHealthyEndpoint { service: service.key.clone(), port, endpoints }
        }
    };
    best.draw(pick).ok_or_else(|| out_of_reach.unwrap_or_else(nobody))
}

/// Whether endpoints may serve, as far as health goes.
struct Healthy {
    ejected: Option<Ejected>,
    only_healthy: bool,
    panic: bool,
}

enum State {
    Serves,
    Unhealthy,
    /// It failed lately.
    LeftOut,
}

impl Healthy {
    fn new(
        dir: &Directory,
        service: &Service,
        terms: Option<(&Terms, LeftOut<'_>)>,
        target: &dyn Fn(&Workload) -> Option<u16>,
    ) -> Self {
        let only_healthy = service.load_balancing.health_policy == HealthPolicy::OnlyHealthy;
        let mut health = Self { ejected: None, only_healthy, panic: false };
        let outlier = terms.and_then(|(terms, left_out)| Some((terms, terms.policy.outlier?, left_out)));
        let Some((terms, policy, left_out)) = outlier else { return health };
        health.ejected = Some(left_out(terms, &policy)).filter(|ejected| !ejected.is_empty());
        if policy.min_health_percent > 0 {
            let all = dir.endpoints(&service.key).filter(|workload| target(workload).is_some());
            let (mut healthy, mut count) = (0, 0);
            for workload in all {
                count += 1;
                healthy += usize::from(matches!(health.state(workload), State::Serves));
            }
            health.panic = policy.is_panic(healthy, count);
        }
        health
    }

    fn state(&self, workload: &Workload) -> State {
        if self.panic {
            return State::Serves;
        }
        if self.only_healthy && workload.status == Health::Unhealthy {
            return State::Unhealthy;
        }
        match &self.ejected {
            Some(ejected) if ejected.contains(&workload.uid) => State::LeftOut,
            _ => State::Serves,
        }
    }
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
