//! The endpoints of a service, and the subsets that they are in.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use weir_proto::l7;
use weir_proto::workload::load_balancing::HealthPolicy;
use weir_proto::workload::{self as proto, TunnelProtocol, WorkloadStatus};
use weir_resources::{Labels, Resolution};

use super::backend::Chosen;
use super::unit::At;
use super::view::Scene;
use crate::store::Item;

pub(super) fn make(scene: Scene<'_>, at: &At, chosen: &Chosen) -> l7::Endpoints {
    let (namespace, hostname) = at.service.split_once('/').unwrap_or_default();
    let service = scene.published(&at.service);
    let balancing = service.and_then(|service| service.load_balancing);
    let all_are_well = balancing.is_some_and(|balancing| balancing.health_policy() == HealthPolicy::AllowAll);
    let one_address = scene.resolution(&at.service) == Some(Resolution::DnsRoundRobin);
    let endpoint = |uid: &std::sync::Arc<str>| {
        let workload = scene.workload(uid)?;
        let mut endpoint = endpoint(scene, at, workload)?;
        endpoint.unhealthy &= !all_are_well;
        endpoint.one_address = one_address;
        let labels = scene.labels(uid).unwrap_or_default();
        let subsets = chosen.subsets.iter().filter(|subset| labels.contains_all(&subset.labels));
        // Ports have clusters each, and a subset is in all of them.
        let subsets: BTreeSet<String> = subsets.map(|subset| subset.name.clone()).collect();
        endpoint.subsets = subsets.into_iter().collect();
        let asked = chosen.labels.iter();
        endpoint.labels =
            asked.filter_map(|label| Some((label.clone(), labels.get(label)?.to_owned()))).collect();
        Some(endpoint)
    };
    let looked_at: BTreeSet<String> = chosen.subsets.iter().map(|subset| subset.name.clone()).collect();
    l7::Endpoints {
        namespace: namespace.to_owned(),
        hostname: hostname.to_owned(),
        endpoints: scene.snapshot.members(&at.service).filter_map(endpoint).collect(),
        subsets: looked_at.into_iter().collect(),
    }
}

fn endpoint(scene: Scene<'_>, at: &At, workload: proto::Workload) -> Option<l7::Endpoint> {
    let tunnel = workload.tunnel_protocol() == TunnelProtocol::Hbone;
    let unhealthy = workload.status() == WorkloadStatus::Unhealthy;
    let ports = workload.services.get(&*at.service)?;
    let ports: BTreeMap<u32, u32> =
        ports.ports.iter().map(|port| (port.service_port, port.target_port)).collect();
    let identity = format!(
        "spiffe://{}/ns/{}/sa/{}",
        scene.world.config.trust_domain, workload.namespace, workload.service_account
    );
    Some(l7::Endpoint {
        uid: workload.uid,
        addresses: workload.addresses,
        hostname: workload.hostname,
        ports: ports.into_iter().collect(),
        subsets: Vec::new(),
        locality: workload.locality.map(locality).unwrap_or_default(),
        weight: workload.capacity.unwrap_or_default(),
        unhealthy,
        tunnel,
        // Whom the other side of a tunnel must prove to be. Of others nobody asks.
        identity: if tunnel { identity } else { String::new() },
        workload: workload.workload_name,
        workload_namespace: workload.namespace,
        canonical_name: workload.canonical_name,
        canonical_revision: workload.canonical_revision,
        cluster: workload.cluster_id,
        node: workload.node,
        ..Default::default()
    })
}

/// `region/zone/subzone`, without empty ends.
fn locality(locality: proto::Locality) -> String {
    let text = [locality.region, locality.zone, locality.subzone].join("/");
    text.trim_end_matches('/').to_owned()
}

impl Scene<'_> {
    fn workload(&self, uid: &str) -> Option<proto::Workload> {
        let resource = self.snapshot.address(uid)?;
        match proto::Address::decode(resource.body.clone()).ok()?.r#type? {
            proto::address::Type::Workload(workload) => Some(workload),
            proto::address::Type::Service(_) => None,
        }
    }

    /// The labels of the object behind a uid. Endpoints of slices have none.
    fn labels(&self, uid: &str) -> Option<Labels> {
        let mut parts = uid.splitn(3, '/').skip(1);
        let (group, rest) = (parts.next()?, parts.next()?);
        let mut parts = rest.splitn(4, '/');
        let (kind, namespace, name) = (parts.next()?, parts.next()?, parts.next()?);
        let world = self.world;
        match (group, kind) {
            ("", "Pod") => {
                let pod = world.pods.at(world.pods.id(namespace, name)?)?;
                Some(pod.labels().clone())
            }
            (ISTIO, "WorkloadEntry") => {
                let entry = world.entries.at(world.entries.id(namespace, name)?)?;
                Some(entry.labels().clone())
            }
            (ISTIO, "ServiceEntry") => {
                let entry = world.service_entries.get(namespace, name)?;
                let address = parts.next()?;
                let endpoint = entry.endpoints.iter().find(|endpoint| &*endpoint.address == address)?;
                Some(endpoint.labels.clone())
            }
            _ => None,
        }
    }
}

const ISTIO: &str = "networking.istio.io";
