//! The picture that the serving side reads.

mod links;

use std::sync::Arc;

use imbl::{HashMap, HashSet, OrdSet};

pub(crate) use links::Uids;

use crate::layer7::{Layer7, PerKind, scoped};
use crate::{Resource, ResourceKind, StatusUpdate};

/// What a commit changed.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Workloads and services.
    pub addresses: Vec<Change>,
    /// Policies.
    pub authorizations: Vec<Change>,
    /// What waypoints are told.
    pub layer7: PerKind<Vec<Change>>,
    /// What nodes are told of their pods.
    pub node_pods: Vec<Change>,
    /// Objects whose status is not what it should be.
    pub statuses: Vec<StatusUpdate>,
}

/// One resource that changed.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its name.
    pub name: Arc<str>,
    /// What it is now; `None`: gone.
    pub resource: Option<Arc<Resource>>,
}

/// All resources at one moment. Cloning is cheap; a clone does not see later changes.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// Id of the cluster that the pods are in.
    pub(crate) cluster: Arc<str>,
    pub(crate) addresses: HashMap<Arc<str>, Arc<Resource>>,
    pub(crate) authorizations: HashMap<Arc<str>, Arc<Resource>>,
    pub(crate) layer7: PerKind<HashMap<Arc<str>, Arc<Resource>>>,
    /// What nodes are told of their pods.
    pub(crate) node_pods: HashMap<Arc<str>, Arc<Resource>>,
    /// Names of addresses by their aliases.
    pub(crate) by_alias: HashMap<Arc<str>, Uids>,
    /// uids of the workloads of a service.
    pub(crate) members: HashMap<Arc<str>, OrdSet<Arc<str>>>,
    /// uids of the workloads of a node.
    pub(crate) by_node: HashMap<Arc<str>, OrdSet<Arc<str>>>,
    /// Pods by their uid in the mesh, for who must prove that he is one.
    pub(crate) pods: HashMap<Arc<str>, PodIdentity>,
    /// How many pods (neither Failed) of a service account run on a node: (node, namespace, service account).
    pub(crate) accounts: HashMap<Account, usize>,
    /// Known node names.
    pub(crate) nodes: HashSet<Arc<str>>,
}

/// Node, namespace and service account.
pub(crate) type Account = (Arc<str>, Arc<str>, Arc<str>);

/// What the CA must know of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodIdentity {
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// Its service account.
    pub service_account: Arc<str>,
    /// Its node.
    pub node: Arc<str>,
}

/// The name of a pod's workload.
pub(crate) fn pod_uid(cluster: &str, namespace: &str, name: &str) -> String {
    format!("{cluster}//Pod/{namespace}/{name}")
}

impl Snapshot {
    /// A picture of these resources, without pods and nodes: for those who test what is made of pictures.
    pub fn of(resources: impl IntoIterator<Item = Arc<Resource>>) -> Self {
        let mut snapshot = Self::default();
        for resource in resources {
            let name = resource.name.clone();
            match resource.kind {
                ResourceKind::Authorization => drop(snapshot.authorizations.insert(name, resource)),
                ResourceKind::Layer7(kind) => drop(snapshot.layer7[kind].insert(name, resource)),
                ResourceKind::NodePod => drop(snapshot.node_pods.insert(name, resource)),
                ResourceKind::Workload | ResourceKind::Service => {
                    snapshot.link(&resource);
                    snapshot.addresses.insert(name, resource);
                }
            }
        }
        snapshot
    }

    /// The workload or service of this name.
    pub fn address(&self, name: &str) -> Option<&Arc<Resource>> {
        self.addresses.get(name)
    }

    /// All workloads and services, in no order.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = &Arc<Resource>> {
        self.addresses.values()
    }

    /// The policy of this name.
    pub fn authorization(&self, name: &str) -> Option<&Arc<Resource>> {
        self.authorizations.get(name)
    }

    /// All policies, in no order.
    pub fn authorizations(&self) -> impl ExactSizeIterator<Item = &Arc<Resource>> {
        self.authorizations.values()
    }

    /// What waypoints are told under a name, which begins with their namespace.
    pub fn layer7(&self, kind: Layer7, name: &str) -> Option<&Arc<Resource>> {
        self.layer7[kind].get(name)
    }

    /// All that waypoints are told, in no order.
    pub fn all_layer7(&self, kind: Layer7) -> impl ExactSizeIterator<Item = &Arc<Resource>> {
        self.layer7[kind].values()
    }

    /// What a node is told of a pod, under a name that begins with the node.
    pub fn node_pod(&self, name: &str) -> Option<&Arc<Resource>> {
        self.node_pods.get(name)
    }

    /// All that nodes are told of their pods, in no order.
    pub fn node_pods(&self) -> impl ExactSizeIterator<Item = &Arc<Resource>> {
        self.node_pods.values()
    }

    /// The names behind what a client asks for on demand: a name itself, or `network/ip`.
    pub fn names(&self, asked: &str) -> Vec<Arc<str>> {
        if let Some(resource) = self.addresses.get(asked) {
            return vec![resource.name.clone()];
        }
        self.by_alias.get(asked).map(Uids::to_vec).unwrap_or_default()
    }

    /// uids of the workloads that serve a service.
    pub fn members(&self, service: &str) -> impl Iterator<Item = &Arc<str>> {
        self.members.get(service).into_iter().flatten()
    }

    /// uids of the workloads on a node.
    pub fn on_node(&self, node: &str) -> impl Iterator<Item = &Arc<str>> {
        self.by_node.get(node).into_iter().flatten()
    }

    /// The pod of this namespace and name.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&PodIdentity> {
        self.pods.get(&*pod_uid(&self.cluster, namespace, name))
    }

    /// Whether a pod (in any phase but Failed) of this service account is on this node.
    pub fn runs(&self, node: &str, namespace: &str, service_account: &str) -> bool {
        self.accounts.get(&(node.into(), namespace.into(), service_account.into())).is_some_and(|n| *n > 0)
    }

    /// Whether this service account is a waypoint's of the namespace: it has the Gateway's name, or is that of a pod behind
    /// the Service of that name.
    pub fn serves_as_waypoint(&self, namespace: &str, service_account: &str) -> bool {
        let waypoints = &self.layer7[Layer7::Waypoint];
        let is_known =
            |gateway: &str| waypoints.contains_key(&scoped(namespace, &format!("{namespace}/{gateway}")));
        if is_known(service_account) {
            return true;
        }
        let is_waypoint = |service: &str| {
            let name = service.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('/'));
            let gateway = name.and_then(|host| host.split_once(&format!(".{namespace}.svc.")));
            gateway.is_some_and(|(gateway, _)| is_known(gateway))
        };
        let is_its =
            |uid: &Arc<str>| self.pods.get(uid).is_some_and(|pod| *pod.service_account == *service_account);
        self.members.iter().any(|(service, uids)| is_waypoint(service) && uids.iter().any(is_its))
    }

    /// With one more pod: for those who test what is asked about pods.
    pub fn with_pod(mut self, uid: &str, pod: PodIdentity) -> Self {
        self.pods.insert(uid.into(), pod);
        self
    }

    /// Whether there is a node of this name.
    pub fn has_node(&self, name: &str) -> bool {
        self.nodes.contains(name)
    }
}
