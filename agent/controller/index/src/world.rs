//! Everything that was read, and the questions that more than one kind of resource asks about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use weir_proto::workload::Locality;
use weir_resources::{
    EndpointSlice, Gateway, GatewayClass, Labels, Meta, Pod, Problem, Service, ServiceEntry, WorkloadEntry,
    WorkloadGroup,
};

use crate::Config;
use crate::index::Owner;
use crate::l7::{Routings, Secrets};
use crate::policy::Policies;
use crate::store::{Askers, Claims, Item, Labelled, Selectors, Table};
use crate::vips::Vips;

/// What was read.
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) namespaces: HashMap<Arc<str>, Meta>,
    pub(crate) nodes: HashMap<Arc<str>, Locality>,
    pub(crate) classes: HashMap<Arc<str>, GatewayClass>,
    pub(crate) gateways: Table<Gateway>,
    pub(crate) groups: Table<WorkloadGroup>,
    pub(crate) pods: Labelled<Pod>,
    pub(crate) entries: Labelled<Entry>,
    pub(crate) services: Table<Service>,
    pub(crate) service_entries: Table<ServiceEntry>,
    pub(crate) slices: Table<EndpointSlice>,
    /// Numbers of the pods of a node.
    pub(crate) on_node: HashMap<Arc<str>, BTreeSet<u32>>,
    /// Names of the slices of a service.
    pub(crate) slices_of: Table<BTreeSet<Arc<str>>>,
    /// Services without a selector: their endpoints are in slices only.
    pub(crate) unselective: Table<()>,
    pub(crate) selectors: Selectors,
    pub(crate) claims: Claims,
    pub(crate) askers: Askers,
    pub(crate) vips: Vips,
    pub(crate) policies: Policies,
    pub(crate) routings: Routings,
    pub(crate) secrets: Secrets,
    /// Objects that are there and cannot be read.
    pub(crate) invalid: BTreeMap<weir_resources::Key, (Meta, Problem)>,
}

/// A workload entry, and the labels that selectors look at: those of its spec and of its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) object: WorkloadEntry,
    pub(crate) labels: Labels,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            policies: Policies::new(&config),
            routings: Routings::new(&config),
            secrets: Secrets::default(),
            config,
            namespaces: HashMap::new(),
            nodes: HashMap::new(),
            classes: HashMap::new(),
            gateways: Table::default(),
            groups: Table::default(),
            pods: Labelled::default(),
            entries: Labelled::default(),
            services: Table::default(),
            service_entries: Table::default(),
            slices: Table::default(),
            on_node: HashMap::new(),
            slices_of: Table::default(),
            unselective: Table::default(),
            selectors: Selectors::default(),
            claims: Claims::default(),
            askers: Askers::default(),
            vips: Vips::default(),
            invalid: BTreeMap::new(),
        }
    }

    /// The network of what does not name its own.
    pub(crate) fn network(&self) -> &str {
        let root = self.namespaces.get(&self.config.root_namespace);
        root.and_then(|meta| meta.labels.get(NETWORK)).unwrap_or(&self.config.network)
    }

    /// The trust domain as it goes over the wire.
    pub(crate) fn trust_domain(&self) -> String {
        match &*self.config.trust_domain {
            "cluster.local" => String::new(),
            domain => domain.to_owned(),
        }
    }

    /// Key of the service that a Kubernetes service is.
    pub(crate) fn service_name(&self, namespace: &str, name: &str) -> Arc<str> {
        format!("{namespace}/{name}.{namespace}.svc.{}", self.config.cluster_domain).into()
    }

    /// Whether an owner is the service of this name.
    pub(crate) fn owns(&self, owner: &Owner, name: &str) -> bool {
        self.claims.winner(name) == Some(owner)
    }
}

impl Item for Pod {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn labels(&self) -> &Labels {
        &self.meta.labels
    }
}

impl Entry {
    pub(crate) fn new(object: WorkloadEntry) -> Self {
        let labels = object.meta.labels.iter().chain(object.spec.labels.iter()).collect();
        Self { object, labels }
    }
}

impl Item for Entry {
    fn meta(&self) -> &Meta {
        &self.object.meta
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}

/// The label that names a network.
pub(crate) const NETWORK: &str = "topology.istio.io/network";
