//! A service entry: a service for each of its hosts, and a workload for each endpoint that is written in it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use weir_proto::workload as proto;
use weir_resources::{Resolution, ServiceEntry, WorkloadSpec};

use super::machine::{self, Machine, Place};
use super::service::hostname;
use super::{Made, Visibility, balancing, ports, visibility};
use crate::condition::Allocated;
use crate::index::{Owner, wants_addresses};
use crate::l7::extensions;
use crate::waypoint::{Binding, Subject, Traffic};
use crate::world::World;

/// What becomes of an entry.
pub(crate) struct Published {
    pub(crate) services: Vec<(Arc<str>, proto::Service)>,
    pub(crate) workloads: Vec<Made>,
    pub(crate) binding: Binding,
    pub(crate) visibility: Visibility,
    /// Hosts of which somebody else is the service, and who.
    pub(crate) conflicts: Vec<(Arc<str>, Owner)>,
    /// Endpoints that are left out, and why.
    pub(crate) left_out: Vec<String>,
}

/// The resources of an entry.
pub(crate) fn service_entry(world: &World, entry: &ServiceEntry, owner: &Owner) -> Published {
    let meta = &entry.meta;
    let visibility = visibility(entry);
    let private = visibility.is_private();
    let binding = world.binding(&Subject { meta, traffic: Traffic::Service, private });
    let mut published = Published {
        services: Vec::new(),
        workloads: Vec::new(),
        binding,
        visibility,
        conflicts: Vec::new(),
        left_out: Vec::new(),
    };
    for host in entry.hosts.iter().filter(|_| visibility.is_published()) {
        let name: Arc<str> = format!("{}/{host}", meta.namespace).into();
        match world.claims.winner(&name) {
            Some(winner) if winner == owner => {
                let message = service(world, entry, &name, &published.binding, private);
                published.services.push((name, message));
            }
            Some(winner) => published.conflicts.push((host.clone(), winner.clone())),
            None => {}
        }
    }
    endpoints(world, entry, private, &mut published);
    published
}

/// The addresses allocated for the hosts of an entry.
pub(crate) fn allocated(world: &World, entry: &ServiceEntry) -> Allocated {
    let held = |host: &Arc<str>| {
        let holder = (entry.meta.namespace.clone(), entry.meta.name.clone(), host.clone());
        world.vips.of(&holder).iter().map(|ip| (host.clone(), *ip)).collect::<Vec<_>>()
    };
    entry.hosts.iter().flat_map(held).collect()
}

fn service(
    world: &World,
    entry: &ServiceEntry,
    name: &str,
    binding: &Binding,
    private: bool,
) -> proto::Service {
    let meta = &entry.meta;
    let namespace = world.namespaces.get(&meta.namespace);
    let load_balancing = match entry.resolution {
        Resolution::None => Some(balancing::passthrough()),
        _ => balancing::annotated(meta, namespace),
    };
    let visibility = if private { proto::Visibility::Namespace } else { proto::Visibility::Public };
    let mut message = proto::Service {
        name: meta.name.to_string(),
        namespace: meta.namespace.to_string(),
        hostname: hostname(name).to_owned(),
        addresses: addresses(world, entry, hostname(name)),
        ports: ports::of_entry(entry),
        subject_alt_names: entry.subject_alt_names.iter().map(ToString::to_string).collect(),
        waypoint: binding.address.clone(),
        load_balancing,
        ip_families: proto::IpFamilies::Automatic.into(),
        extensions: Vec::new(),
        canonical: world.claims.is_canonical(name),
        ingress_use_waypoint: super::ingress_use_waypoint(meta, namespace),
        weighted_waypoints: binding.weighted.clone(),
        visibility: visibility.into(),
    };
    message.extensions = extensions(world, &message);
    message
}

/// Those of the spec, else those allocated: by us, or (when we do not) by whoever wrote the status.
fn addresses(world: &World, entry: &ServiceEntry, host: &str) -> Vec<proto::NetworkAddress> {
    let ours = world.config.allocate_addresses && wants_addresses(entry);
    let allocated = if ours { allocated(world, entry) } else { entry.allocated.clone() };
    let of_host = |(of, ip): (Arc<str>, IpAddr)| (of.is_empty() || *of == *host).then_some(ip);
    if entry.addresses.is_empty() {
        let ips = allocated.into_iter().filter_map(of_host);
        return ips.map(|ip| world.network_address(ip, None)).collect();
    }
    let ranges = entry.addresses.iter();
    ranges
        .map(|net| {
            let length = (net.prefix_len() != net.max_prefix_len()).then(|| net.prefix_len());
            world.network_address(net.addr(), length)
        })
        .collect()
}

/// Endpoints as written; of a name to resolve without any, the name is the endpoint of itself.
fn endpoints(world: &World, entry: &ServiceEntry, private: bool, published: &mut Published) {
    let names: Vec<Arc<str>> = published.services.iter().map(|(name, _)| name.clone()).collect();
    if names.is_empty() {
        return;
    }
    let resolves = matches!(entry.resolution, Resolution::Dns | Resolution::DnsRoundRobin);
    if entry.endpoints.is_empty() && entry.selector.is_empty() && resolves {
        for name in names {
            let host = hostname(&name);
            if host.starts_with('*') {
                published.left_out.push(format!("host {host:?} is not a name that can be resolved"));
                continue;
            }
            let spec = WorkloadSpec { address: host.into(), ..WorkloadSpec::default() };
            published.workloads.extend(endpoint(world, entry, &spec, private, std::slice::from_ref(&name)));
        }
        return;
    }
    let mut seen = BTreeSet::new();
    for (place, spec) in entry.endpoints.iter().enumerate() {
        let left_out = |why: &str| format!("spec.endpoints[{place}] ({:?}) {why}", spec.address);
        if !seen.insert(&spec.address) {
            published.left_out.push(left_out("has the address of an endpoint before it"));
        } else if matches!(machine::place(spec), Place::Socket) {
            published.left_out.push(left_out("is not an address that other nodes reach"));
        } else {
            published.workloads.extend(endpoint(world, entry, spec, private, &names));
        }
    }
}

fn endpoint(
    world: &World,
    entry: &ServiceEntry,
    spec: &WorkloadSpec,
    private: bool,
    names: &[Arc<str>],
) -> Option<Made> {
    let (cluster, meta) = (&world.config.cluster_id, &entry.meta);
    let ports = ports::of_endpoint(entry, &spec.ports);
    let machine = Machine {
        uid: format!(
            "{cluster}/networking.istio.io/ServiceEntry/{}/{}/{}",
            meta.namespace, meta.name, spec.address
        ),
        meta,
        spec,
        labels: &spec.labels,
        healthy: true,
        private,
        services: names.iter().map(|name| (name.clone(), ports.clone())).collect(),
    };
    machine::workload(world, machine)
}
