//! A pod.

use std::collections::BTreeMap;

use weir_proto::workload as proto;
use weir_resources::{Phase, Pod};

use super::{Made, Services, names, ports, slice};
use crate::index::Owner;
use crate::waypoint::{Subject, Traffic};
use crate::world::World;

/// The uid of a pod's workload.
pub(crate) fn pod_uid(world: &World, pod: &Pod) -> String {
    crate::snapshot::pod_uid(&world.config.cluster_id, &pod.meta.namespace, &pod.meta.name)
}

/// The workload of a pod, and the keys of its services; `None` for a pod without an address, or one that has ended.
pub(crate) fn pod(world: &World, pod: &Pod) -> Option<Made> {
    let there = !pod.addresses.is_empty() && !matches!(pod.phase, Phase::Succeeded | Phase::Failed);
    there.then(|| workload(world, pod))
}

/// The workload of a pod that may have no address yet.
pub(super) fn workload(world: &World, pod: &Pod) -> Made {
    let meta = &pod.meta;
    let (tunnel, native_tunnel) = super::tunnel(&meta.labels, &meta.annotations, pod.host_network);
    let workload_name = names::workload_name(pod);
    let services = services(world, pod);
    let names = services.iter().map(|(name, _)| name.clone()).collect();
    let healthy = pod.ready && !meta.deleting;
    let workload = proto::Workload {
        uid: pod_uid(world, pod),
        name: meta.name.to_string(),
        namespace: meta.namespace.to_string(),
        addresses: pod.addresses.iter().map(|ip| super::bytes(*ip)).collect(),
        network: world.network().to_owned(),
        tunnel_protocol: tunnel.into(),
        trust_domain: world.trust_domain(),
        service_account: pod.service_account.to_string(),
        waypoint: world.binding(&Subject { meta, traffic: Traffic::Workload, private: false }).address,
        node: pod.node.to_string(),
        canonical_name: names::canonical_name(&meta.labels, workload_name).to_owned(),
        canonical_revision: names::canonical_revision(&meta.labels).to_owned(),
        // As Istio's: the kind of the owner is not told, its name is.
        workload_type: proto::WorkloadType::Pod.into(),
        workload_name: workload_name.to_owned(),
        native_tunnel,
        application_tunnel: world.application_tunnel(&meta.namespace, &meta.labels),
        services: services.into_iter().map(|(name, ports)| (name.to_string(), ports)).collect(),
        authorization_policies: world.policies_of(&meta.namespace, &meta.labels),
        status: super::health(healthy).into(),
        cluster_id: world.config.cluster_id.to_string(),
        locality: world.locality(&pod.node),
        network_mode: super::network_mode(pod.host_network).into(),
        ..proto::Workload::default()
    };
    (workload, names)
}

/// The services that select a pod, and those without a selector whose endpoint slices name it.
fn services(world: &World, pod: &Pod) -> Services {
    let namespace = &pod.meta.namespace;
    let mut services = world.serving(namespace, &pod.meta.labels, |owner| match owner {
        Owner::Service(namespace, name) => Some(ports::of_pod(world.services.get(namespace, name)?, pod)),
        Owner::ServiceEntry(namespace, name) => {
            Some(ports::of_endpoint(world.service_entries.get(namespace, name)?, &BTreeMap::new()))
        }
        Owner::Slice(..) | Owner::Entry(_) | Owner::Pod(_) => None,
    });
    for (name, ()) in world.unselective.of(namespace) {
        let Some(service) = world.services.get(namespace, name) else { continue };
        let key = world.service_name(namespace, name);
        if world.owns(&Owner::Service(namespace.clone(), name.clone()), &key) {
            services.extend(slice::of_pod(world, pod, service).map(|ports| (key, ports)));
        }
    }
    services
}
