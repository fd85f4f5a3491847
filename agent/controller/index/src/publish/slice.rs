//! Endpoints that are no pods: somebody wrote an endpoint slice for addresses outside.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use weir_proto::workload as proto;
use weir_resources::{Endpoint, EndpointSlice, Pod, Service};

use super::{Made, ports};
use crate::index::{Owner, service_of};
use crate::world::World;

/// The workloads of a slice. They have the host's mode: whose address it is, is not known.
pub(crate) fn slice(world: &World, slice: &EndpointSlice) -> Vec<Made> {
    let Some((service, name)) = served(world, slice) else { return Vec::new() };
    let ports = ports_of(service, slice);
    let mut workloads = BTreeMap::new();
    for endpoint in slice.endpoints.iter().filter(|endpoint| endpoint.pod.is_none()) {
        for ip in &endpoint.addresses {
            let workload = workload(world, slice, endpoint, *ip);
            workloads.entry(*ip).or_insert(workload).services.insert(name.to_string(), ports.clone());
        }
    }
    workloads.into_values().map(|workload| (workload, vec![name.clone()])).collect()
}

/// A pod's ports of a service without a selector, if a slice of it names the pod.
pub(super) fn of_pod(world: &World, pod: &Pod, service: &Service) -> Option<proto::PortList> {
    let namespace = &service.meta.namespace;
    let slices = world.slices_of.get(namespace, &service.meta.name)?;
    let mut slices = slices.iter().filter_map(|name| world.slices.get(namespace, name));
    let slice = slices.find(|slice| names(slice, namespace, &pod.meta.name))?;
    Some(ports_of(service, slice))
}

fn names(slice: &EndpointSlice, namespace: &str, pod: &str) -> bool {
    let is_it = |(ns, name): &(Arc<str>, Arc<str>)| **ns == *namespace && **name == *pod;
    slice.endpoints.iter().any(|endpoint| endpoint.pod.as_ref().is_some_and(is_it))
}

/// The service that a slice is of, if it is published.
fn served<'a>(world: &'a World, slice: &EndpointSlice) -> Option<(&'a Service, Arc<str>)> {
    let (namespace, name) = (&slice.meta.namespace, service_of(slice)?);
    let service = world.services.get(namespace, &name)?;
    let key = world.service_name(namespace, &name);
    world.owns(&Owner::Service(namespace.clone(), name), &key).then_some((service, key))
}

/// Ports have the same names in both; the slice says the endpoint's number.
fn ports_of(service: &Service, slice: &EndpointSlice) -> proto::PortList {
    ports::list(service.ports.iter().filter_map(|port| {
        let target = slice.ports.iter().find(|target| target.name == port.name)?;
        Some((port.port, target.port))
    }))
}

fn workload(world: &World, slice: &EndpointSlice, endpoint: &Endpoint, ip: IpAddr) -> proto::Workload {
    let meta = &slice.meta;
    let zone = (!endpoint.zone.is_empty())
        .then(|| proto::Locality { zone: endpoint.zone.to_string(), ..proto::Locality::default() });
    let name = format!("{}/{}/{ip}", meta.namespace, meta.name);
    proto::Workload {
        uid: format!("{}/discovery.k8s.io/EndpointSlice/{name}", world.config.cluster_id),
        name: meta.name.to_string(),
        namespace: meta.namespace.to_string(),
        addresses: vec![super::bytes(ip)],
        network: world.network().to_owned(),
        trust_domain: world.trust_domain(),
        canonical_name: meta.name.to_string(),
        canonical_revision: "latest".to_owned(),
        workload_type: proto::WorkloadType::Pod.into(),
        workload_name: meta.name.to_string(),
        status: super::health(endpoint.ready).into(),
        cluster_id: world.config.cluster_id.to_string(),
        locality: world.locality(&endpoint.node).or(zone),
        network_mode: proto::NetworkMode::HostNetwork.into(),
        ..proto::Workload::default()
    }
}
