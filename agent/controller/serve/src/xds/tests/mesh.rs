//! A mesh for tests: resources that change, and the store that they are published to.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::Message;
use weir_index::{Change, Changes, Layer7, PodIdentity, Resource, ResourceKind, Snapshot, scoped};
use weir_proto::security::{Authorization, Scope};
use weir_proto::workload::{Address, Service, Workload, address};

use crate::Store;

/// What there is, and what changed since the last commit.
#[derive(Default)]
pub(super) struct Mesh {
    pub(super) store: Store,
    /// By kind, too: several kinds have the same names.
    live: BTreeMap<(Arc<str>, String), Arc<Resource>>,
    changes: Changes,
    /// A pod's uid and its service account.
    pub(super) pod: Option<(String, String)>,
}

impl Mesh {
    /// A mesh of these, published.
    pub(super) fn of(resources: impl IntoIterator<Item = Resource>) -> Self {
        let mut mesh = Self::default();
        mesh.change(resources);
        mesh
    }

    /// Adds or replaces, and publishes.
    pub(super) fn change(&mut self, resources: impl IntoIterator<Item = Resource>) {
        resources.into_iter().for_each(|resource| self.set(resource));
        self.commit();
    }

    /// Removes, and publishes.
    pub(super) fn remove(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.unset(name));
        self.commit();
    }

    pub(super) fn set(&mut self, resource: Resource) {
        let resource = Arc::new(resource);
        let key = (resource.name.clone(), group(resource.kind));
        self.live.insert(key, resource.clone());
        let change = Change { name: resource.name.clone(), resource: Some(resource.clone()) };
        self.list(resource.kind).push(change);
    }

    pub(super) fn unset(&mut self, name: &str) {
        let key = self.live.keys().find(|(of, _)| **of == *name).cloned();
        if let Some(resource) = key.and_then(|key| self.live.remove(&key)) {
            self.list(resource.kind).push(Change { name: resource.name.clone(), resource: None });
        }
    }

    pub(super) fn commit(&mut self) {
        let mut snapshot = Snapshot::of(self.live.values().cloned());
        if let Some((uid, account)) = &self.pod {
            let (uid, node) = (uid.as_str(), "a".into());
            let pod = PodIdentity { uid: uid.into(), service_account: account.as_str().into(), node };
            snapshot = snapshot.with_pod(uid, pod);
        }
        self.store.publish(snapshot, &std::mem::take(&mut self.changes));
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.live.values()
    }

    fn list(&mut self, kind: ResourceKind) -> &mut Vec<Change> {
        match kind {
            ResourceKind::Authorization => &mut self.changes.authorizations,
            ResourceKind::Workload | ResourceKind::Service => &mut self.changes.addresses,
            ResourceKind::Layer7(kind) => &mut self.changes.layer7[kind],
            ResourceKind::NodePod => &mut self.changes.node_pods,
        }
    }
}

/// Names are unique in a group.
fn group(kind: ResourceKind) -> String {
    match kind {
        ResourceKind::Workload | ResourceKind::Service => "address".to_owned(),
        kind => format!("{kind:?}"),
    }
}

/// What waypoints of a namespace are told.
pub(super) fn layer7(kind: Layer7, reader: &str, name: &str, version: u64) -> Resource {
    Resource { name: scoped(reader, name), kind: ResourceKind::Layer7(kind), ..policy(name, version) }
}

/// A pod `name` with the address `/ip`; `version` makes it differ.
pub(super) fn pod(
    name: &str,
    ip: &str,
    node: &str,
    services: &[&str],
    policies: &[&str],
    version: u64,
) -> Resource {
    let workload = Workload {
        uid: name.into(),
        authorization_policies: policies.iter().map(|policy| policy.to_string()).collect(),
        canonical_revision: version.to_string(),
        ..Workload::default()
    };
    let body = Address { r#type: Some(address::Type::Workload(workload)) }.encode_to_vec().into();
    Resource {
        name: name.into(),
        kind: ResourceKind::Workload,
        version,
        body,
        aliases: [format!("/{ip}").into()].into(),
        node: node.into(),
        services: services.iter().map(|service| Arc::from(*service)).collect(),
    }
}

/// A service `ns/hostname` at `/ip`.
pub(super) fn service(name: &str, ip: &str, version: u64) -> Resource {
    let hostname = name.split_once('/').unwrap().1.to_owned();
    let service = Service { hostname, ..Service::default() };
    Resource {
        name: name.into(),
        kind: ResourceKind::Service,
        version,
        body: Address { r#type: Some(address::Type::Service(service)) }.encode_to_vec().into(),
        aliases: [format!("/{ip}").into()].into(),
        node: "".into(),
        services: [].into(),
    }
}

/// A policy `ns/name` for single workloads.
pub(super) fn policy(name: &str, version: u64) -> Resource {
    policy_for(Scope::WorkloadSelector, name, version)
}

/// A policy `ns/name`.
pub(super) fn policy_for(scope: Scope, name: &str, version: u64) -> Resource {
    let policy = Authorization { name: name.into(), scope: scope.into(), ..Authorization::default() };
    Resource {
        name: name.into(),
        kind: ResourceKind::Authorization,
        version,
        body: policy.encode_to_vec().into(),
        aliases: [].into(),
        node: "".into(),
        services: [].into(),
    }
}
