//! A workload that is no pod: a workload entry, an endpoint of a service entry.

use std::net::IpAddr;

use weir_proto::workload as proto;
use weir_resources::{Labels, Meta, WorkloadSpec};

use super::{Made, Services, names};
use crate::waypoint::{Subject, Traffic};
use crate::world::{NETWORK, World};

/// What there is to know.
pub(super) struct Machine<'a> {
    pub(super) uid: String,
    /// The object that it is in.
    pub(super) meta: &'a Meta,
    pub(super) spec: &'a WorkloadSpec,
    pub(super) labels: &'a Labels,
    pub(super) healthy: bool,
    /// Only clients of its namespace see it.
    pub(super) private: bool,
    pub(super) services: Services,
}

/// Where a machine is.
pub(super) enum Place<'a> {
    Ip(IpAddr),
    Host(&'a str),
    /// Nowhere that a connection between nodes can reach.
    Socket,
}

/// Where a machine is.
pub(super) fn place(spec: &WorkloadSpec) -> Place<'_> {
    match spec.address.parse() {
        Ok(ip) => Place::Ip(ip),
        Err(_) if spec.address.is_empty() || spec.address.starts_with("unix:") => Place::Socket,
        Err(_) => Place::Host(&spec.address),
    }
}

/// The workload, and the keys of its services; `None` if no other node can reach it.
pub(super) fn workload(world: &World, machine: Machine<'_>) -> Option<Made> {
    let Machine { uid, meta, spec, labels, healthy, private, services } = machine;
    let (addresses, hostname) = match place(spec) {
        Place::Ip(ip) => (vec![super::bytes(ip)], String::new()),
        Place::Host(host) => (Vec::new(), host.to_owned()),
        Place::Socket => return None,
    };
    let (tunnel, native_tunnel) = super::tunnel(labels, &meta.annotations, false);
    let said = Some(&*spec.network).filter(|network| !network.is_empty());
    let network = said.or_else(|| labels.get(NETWORK)).unwrap_or_else(|| world.network());
    let keys = services.iter().map(|(name, _)| name.clone()).collect();
    let workload = proto::Workload {
        uid,
        name: meta.name.to_string(),
        namespace: meta.namespace.to_string(),
        addresses,
        hostname,
        network: network.to_owned(),
        tunnel_protocol: tunnel.into(),
        trust_domain: world.trust_domain(),
        service_account: spec.service_account.to_string(),
        waypoint: world.binding(&Subject { meta, traffic: Traffic::Workload, private }).address,
        canonical_name: names::canonical_name(labels, &meta.name).to_owned(),
        canonical_revision: names::canonical_revision(labels).to_owned(),
        workload_type: proto::WorkloadType::Pod.into(),
        workload_name: meta.name.to_string(),
        native_tunnel,
        services: services.into_iter().map(|(name, ports)| (name.to_string(), ports)).collect(),
        authorization_policies: world.policies_of(&meta.namespace, labels),
        status: super::health(healthy).into(),
        cluster_id: world.config.cluster_id.to_string(),
        locality: locality(&spec.locality),
        capacity: (spec.weight != 0).then_some(spec.weight),
        ..proto::Workload::default()
    };
    Some((workload, keys))
}

/// `region/zone/subzone`, the last ones optional.
fn locality(text: &str) -> Option<proto::Locality> {
    let mut parts = text.splitn(3, '/').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    let locality = proto::Locality { region: next(), zone: next(), subzone: next() };
    (locality != proto::Locality::default()).then_some(locality)
}
