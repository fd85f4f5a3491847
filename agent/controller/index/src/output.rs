//! The resources as they are now, and which of them changed since the last commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use weir_proto::security::Authorization;
use weir_proto::workload as proto;
use xxhash_rust::xxh64::xxh64;

use crate::layer7::{Layer7, PerKind};
use crate::publish::ip;
use crate::snapshot::{Account, PodIdentity};
use crate::{Change, Resource, ResourceKind, Snapshot};

/// Owns the next snapshot. Setting a resource to what it is costs an encoding and changes nothing.
#[derive(Default)]
pub(crate) struct Output {
    snapshot: Snapshot,
    /// What was published of the resources that were touched.
    addresses: Before,
    authorizations: Before,
    layer7: PerKind<Before>,
    node_pods: Before,
}

type Before = BTreeMap<Arc<str>, Option<Arc<Resource>>>;

impl Output {
    /// Empty, for a cluster.
    pub(crate) fn new(cluster: &Arc<str>) -> Self {
        let snapshot = Snapshot { cluster: cluster.clone(), ..Snapshot::default() };
        Self { snapshot, ..Self::default() }
    }

    /// The snapshot as it is now.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Sets a workload. `services` are the keys of its map, shared with whoever else names them.
    pub(crate) fn workload(&mut self, workload: proto::Workload, services: Vec<Arc<str>>, node: &Arc<str>) {
        let own = workload.network_mode != proto::NetworkMode::HostNetwork as i32;
        let aliases = workload.addresses.iter().filter(|_| own).filter_map(|bytes| ip(bytes));
        let aliases = aliases.map(|ip| format!("{}/{ip}", workload.network).into()).collect();
        let (name, node) = (self.name(&workload.uid), node.clone());
        let body = proto::Address { r#type: Some(proto::address::Type::Workload(workload)) };
        self.address(name, ResourceKind::Workload, body, Links { aliases, node, services: services.into() });
    }

    /// Sets a service.
    pub(crate) fn service(&mut self, name: &Arc<str>, service: proto::Service) {
        let aliases = service.addresses.iter().filter_map(|address| {
            let (network, ip) = (&address.network, ip(&address.address)?);
            Some(match address.length {
                Some(length) => format!("{network}/{ip}/{length}").into(),
                None => format!("{network}/{ip}").into(),
            })
        });
        let links = Links { aliases: aliases.collect(), node: Arc::default(), services: Box::default() };
        let body = proto::Address { r#type: Some(proto::address::Type::Service(service)) };
        self.address(name.clone(), ResourceKind::Service, body, links);
    }

    /// Removes a workload or a service, if it is there.
    pub(crate) fn remove(&mut self, name: &str) {
        let Some(old) = self.snapshot.addresses.remove(name) else { return };
        self.snapshot.unlink(&old);
        self.addresses.entry(old.name.clone()).or_insert(Some(old));
    }

    /// Sets or removes a policy.
    pub(crate) fn authorization(&mut self, name: Arc<str>, new: Option<Authorization>) {
        let old = self.snapshot.authorizations.get(&name).cloned();
        let new = new.map(|message| {
            let links = Links { aliases: Box::default(), node: Arc::default(), services: Box::default() };
            Arc::new(links.resource(name.clone(), ResourceKind::Authorization, message.encode_to_vec()))
        });
        if old == new {
            return;
        }
        match new {
            Some(new) => self.snapshot.authorizations.insert(name.clone(), new),
            None => self.snapshot.authorizations.remove(&name),
        };
        self.authorizations.entry(name).or_insert(old);
    }

    /// Sets or removes what waypoints are told.
    pub(crate) fn layer7<M: Message>(&mut self, kind: Layer7, name: Arc<str>, new: Option<&M>) {
        let old = self.snapshot.layer7[kind].get(&name).cloned();
        let new = new.map(|message| {
            let links = Links { aliases: Box::default(), node: Arc::default(), services: Box::default() };
            Arc::new(links.resource(name.clone(), ResourceKind::Layer7(kind), message.encode_to_vec()))
        });
        if old == new {
            return;
        }
        match new {
            Some(new) => self.snapshot.layer7[kind].insert(name.clone(), new),
            None => self.snapshot.layer7[kind].remove(&name),
        };
        self.layer7[kind].entry(name).or_insert(old);
    }

    /// Sets or removes what a node is told of a pod.
    pub(crate) fn node_pod(&mut self, node: &Arc<str>, name: Arc<str>, new: Option<weir_proto::node::Pod>) {
        let old = self.snapshot.node_pods.get(&name).cloned();
        let new = new.map(|message| {
            let links = Links { aliases: Box::default(), node: node.clone(), services: Box::default() };
            Arc::new(links.resource(name.clone(), ResourceKind::NodePod, message.encode_to_vec()))
        });
        if old == new {
            return;
        }
        match new {
            Some(new) => self.snapshot.node_pods.insert(name.clone(), new),
            None => self.snapshot.node_pods.remove(&name),
        };
        self.node_pods.entry(name).or_insert(old);
    }

    /// What changed since the last call of what nodes are told of their pods.
    pub(crate) fn take_node_pods(&mut self) -> Vec<Change> {
        changes(std::mem::take(&mut self.node_pods), |name| self.snapshot.node_pods.get(name))
    }

    /// Says who a pod is; `None`: there is no such pod.
    pub(crate) fn pod(&mut self, uid: &str, pod: Option<PodIdentity>) {
        match pod {
            Some(pod) => {
                let name = self.name(uid);
                self.snapshot.pods.insert(name, pod);
            }
            None => drop(self.snapshot.pods.remove(uid)),
        }
    }

    /// One pod of a service account more (or less) on a node.
    pub(crate) fn count(&mut self, key: Account, more: bool) {
        let known = self.snapshot.accounts.get(&key).copied().unwrap_or(0);
        match (more, known) {
            (true, known) => drop(self.snapshot.accounts.insert(key, known + 1)),
            (false, 0 | 1) => drop(self.snapshot.accounts.remove(&key)),
            (false, known) => drop(self.snapshot.accounts.insert(key, known - 1)),
        }
    }

    /// A node is there, or not.
    pub(crate) fn node(&mut self, name: &Arc<str>, is_there: bool) {
        match is_there {
            true => drop(self.snapshot.nodes.insert(name.clone())),
            false => drop(self.snapshot.nodes.remove(name)),
        }
    }

    /// What changed since the last call: addresses, policies; each in the order of the names.
    pub(crate) fn take_changes(&mut self) -> (Vec<Change>, Vec<Change>) {
        let addresses =
            changes(std::mem::take(&mut self.addresses), |name| self.snapshot.addresses.get(name));
        let policies = std::mem::take(&mut self.authorizations);
        (addresses, changes(policies, |name| self.snapshot.authorizations.get(name)))
    }

    /// What changed since the last call of what waypoints are told.
    pub(crate) fn take_layer7(&mut self) -> PerKind<Vec<Change>> {
        let mut taken = PerKind::default();
        for kind in Layer7::ALL {
            let before = std::mem::take(&mut self.layer7[kind]);
            taken[kind] = changes(before, |name| self.snapshot.layer7[kind].get(name));
        }
        taken
    }

    fn address(&mut self, name: Arc<str>, kind: ResourceKind, body: proto::Address, links: Links) {
        let new = links.resource(name, kind, body.encode_to_vec());
        let old = self.snapshot.addresses.get(&new.name).cloned();
        if old.as_deref() == Some(&new) {
            return;
        }
        let (name, new) = (new.name.clone(), Arc::new(new));
        if old.as_deref().is_none_or(|old| !is_linked_alike(old, &new)) {
            if let Some(old) = &old {
                self.snapshot.unlink(old);
            }
            self.snapshot.link(&new);
        }
        self.snapshot.addresses.insert(name.clone(), new);
        self.addresses.entry(name).or_insert(old);
    }

    /// The name as it is already kept somewhere, or a new one.
    fn name(&self, uid: &str) -> Arc<str> {
        let known = self.snapshot.addresses.get(uid).map(|resource| resource.name.clone());
        let pod = || self.snapshot.pods.get_key_value(uid).map(|(name, _)| name.clone());
        known.or_else(pod).unwrap_or_else(|| uid.into())
    }
}

/// By what a resource is found, beside its name.
struct Links {
    aliases: Box<[Arc<str>]>,
    node: Arc<str>,
    services: Box<[Arc<str>]>,
}

impl Links {
    fn resource(self, name: Arc<str>, kind: ResourceKind, body: Vec<u8>) -> Resource {
        let Self { aliases, node, services } = self;
        Resource { name, kind, version: xxh64(&body, 0), body: Bytes::from(body), aliases, node, services }
    }
}

fn changes<'a>(before: Before, now: impl Fn(&str) -> Option<&'a Arc<Resource>>) -> Vec<Change> {
    let changed = |(name, old): (Arc<str>, Option<Arc<Resource>>)| {
        let resource = now(&name).cloned();
        (resource != old).then_some(Change { name, resource })
    };
    before.into_iter().filter_map(changed).collect()
}

fn is_linked_alike(a: &Resource, b: &Resource) -> bool {
    a.aliases == b.aliases && a.node == b.node && a.services == b.services
}
