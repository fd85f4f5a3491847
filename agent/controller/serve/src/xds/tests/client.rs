//! What a client makes of responses; and requests.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use prost_types::value::Kind;
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use weir_proto::google::rpc;
use weir_proto::workload::{Address, address};
use weir_proto::{core, type_url};

use crate::auth::Caller;
use crate::xds::XdsConfig;
use crate::xds::session::{Push, Session};

use super::mesh::Mesh;

pub(super) const ADDRESS: &str = type_url::ADDRESS;
pub(super) const AUTHORIZATION: &str = type_url::AUTHORIZATION;
pub(super) const WORKLOAD: &str = type_url::WORKLOAD;

pub(super) fn caller() -> Caller {
    Caller::new("weir-system", "ztunnel")
}

/// The node of a node proxy on node `a`.
pub(super) fn node() -> core::Node {
    node_with(
        "ztunnel~10.0.0.1~ztunnel-1.weir-system~weir-system.svc.cluster.local",
        &[("NAMESPACE", "weir-system"), ("NODE_NAME", "a")],
    )
}

pub(super) fn node_with(id: &str, metadata: &[(&str, &str)]) -> core::Node {
    let value = |text: &str| prost_types::Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let fields = metadata.iter().map(|(key, text)| ((*key).to_owned(), value(text))).collect();
    core::Node { id: id.into(), metadata: Some(prost_types::Struct { fields }), ..core::Node::default() }
}

/// A first request.
pub(super) fn first(type_url: &str) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest { node: Some(node()), type_url: type_url.into(), ..Default::default() }
}

/// The same of an agent of ours.
pub(super) fn of_ours(mut request: DeltaDiscoveryRequest) -> DeltaDiscoveryRequest {
    let version = prost_types::Value { kind: Some(Kind::StringValue("0.1.0".to_owned())) };
    let metadata = request.node.as_mut().and_then(|node| node.metadata.as_mut()).unwrap();
    metadata.fields.insert("WEIR_VERSION".to_owned(), version);
    request
}

/// The first request of a client on demand.
pub(super) fn on_demand() -> DeltaDiscoveryRequest {
    names(first(ADDRESS), &["*"], &["*"])
}

/// A later request for names.
pub(super) fn ask(type_url: &str, subscribe: &[&str], unsubscribe: &[&str]) -> DeltaDiscoveryRequest {
    let request = DeltaDiscoveryRequest { type_url: type_url.into(), ..Default::default() };
    names(request, subscribe, unsubscribe)
}

pub(super) fn names(
    request: DeltaDiscoveryRequest,
    subscribe: &[&str],
    unsubscribe: &[&str],
) -> DeltaDiscoveryRequest {
    let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    DeltaDiscoveryRequest {
        resource_names_subscribe: owned(subscribe),
        resource_names_unsubscribe: owned(unsubscribe),
        ..request
    }
}

pub(super) fn holding(request: DeltaDiscoveryRequest, held: &[(&str, &str)]) -> DeltaDiscoveryRequest {
    let owned = |(name, version): &(&str, &str)| (name.to_string(), version.to_string());
    DeltaDiscoveryRequest { initial_resource_versions: held.iter().map(owned).collect(), ..request }
}

pub(super) fn ack(response: &DeltaDiscoveryResponse) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: response.type_url.clone(),
        response_nonce: response.nonce.clone(),
        ..Default::default()
    }
}

pub(super) fn nack(response: &DeltaDiscoveryResponse, reason: &str) -> DeltaDiscoveryRequest {
    let error = rpc::Status { message: reason.into(), ..rpc::Status::default() };
    DeltaDiscoveryRequest { error_detail: Some(error), ..ack(response) }
}

/// A session and what its client holds.
pub(super) struct Client {
    pub(super) session: Session,
    pub(super) addresses: BTreeMap<String, String>,
    pub(super) policies: BTreeMap<String, String>,
    /// Policies that a workload it holds names.
    pub(super) named: BTreeMap<String, Vec<String>>,
    /// Names that were said not to be there.
    pub(super) absent: BTreeSet<String>,
}

impl Client {
    pub(super) fn new(config: XdsConfig) -> Self {
        Self::of(caller(), config)
    }

    pub(super) fn of(caller: Caller, config: XdsConfig) -> Self {
        Self {
            session: Session::new(caller, 7, config),
            addresses: BTreeMap::new(),
            policies: BTreeMap::new(),
            named: BTreeMap::new(),
            absent: BTreeSet::new(),
        }
    }

    /// Sends a request that must not end the stream.
    pub(super) fn send(&mut self, mesh: &Mesh, request: &DeltaDiscoveryRequest) {
        self.session.request(request, &mesh.store.current()).unwrap();
    }

    /// Takes one response.
    pub(super) fn take(&mut self, mesh: &Mesh) -> Option<DeltaDiscoveryResponse> {
        let Push { response, .. } = self.session.next(&mesh.store.current()).unwrap()?;
        self.apply(&response);
        Some(response)
    }

    /// Takes all there is.
    pub(super) fn drain(&mut self, mesh: &Mesh) -> Vec<DeltaDiscoveryResponse> {
        std::iter::from_fn(|| self.take(mesh)).collect()
    }

    /// The names of each response to come: resources, then what is removed with a minus before it.
    pub(super) fn told(&mut self, mesh: &Mesh) -> Vec<Vec<String>> {
        self.drain(mesh).iter().map(summary).collect()
    }

    pub(super) fn apply(&mut self, response: &DeltaDiscoveryResponse) {
        let of_policies = response.type_url == AUTHORIZATION;
        for resource in &response.resources {
            let held = if of_policies { &mut self.policies } else { &mut self.addresses };
            held.insert(resource.name.clone(), resource.version.clone());
            if response.type_url == ADDRESS {
                self.named
                    .insert(resource.name.clone(), policies_in(&resource.resource.as_ref().unwrap().value));
            }
        }
        for name in &response.removed_resources {
            let held = if of_policies { &mut self.policies } else { &mut self.addresses };
            held.remove(name);
            self.named.remove(name);
            self.absent.insert(name.clone());
        }
    }

    /// Policies that a workload names and that the client does not have: what ztunnel would pass over.
    pub(super) fn unknown_policies(&self) -> Vec<&str> {
        let named = self.named.values().flatten();
        named.map(String::as_str).filter(|name| !self.policies.contains_key(*name)).collect()
    }
}

pub(super) fn summary(response: &DeltaDiscoveryResponse) -> Vec<String> {
    let mut resources: Vec<_> = response.resources.iter().map(|resource| resource.name.clone()).collect();
    resources.sort_unstable();
    let mut removed: Vec<_> = response.removed_resources.iter().map(|name| format!("-{name}")).collect();
    removed.sort_unstable();
    resources.into_iter().chain(removed).collect()
}

fn policies_in(body: &[u8]) -> Vec<String> {
    match Address::decode(body).unwrap().r#type {
        Some(address::Type::Workload(workload)) => workload.authorization_policies,
        _ => Vec::new(),
    }
}
