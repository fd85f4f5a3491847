//! What the index must be told about the mesh.

use std::sync::Arc;

/// Names of the mesh, and choices.
#[derive(Debug, Clone)]
pub struct Config {
    /// Id of the cluster, the first part of uids (`Kubernetes` if there is only one).
    pub cluster_id: Arc<str>,
    /// Trust domain of all identities.
    pub trust_domain: Arc<str>,
    /// DNS suffix of the cluster's services.
    pub cluster_domain: Arc<str>,
    /// Namespace whose policies are for the whole mesh.
    pub root_namespace: Arc<str>,
    /// Network of the cluster when no label of the root namespace names one.
    pub network: Arc<str>,
    /// Istio's class `istio-waypoint` is ours, too.
    pub adopt_istio_classes: bool,
    /// Policies with the dry-run annotation are sent, marked; else they are not sent. Node proxies that do not know the
    /// mark would enforce them.
    pub dry_run: bool,
    /// Services entries without an address get one from 240.240.0.0/16 and 2001:2::/48.
    pub allocate_addresses: bool,
    /// Who asks for a waypoint that is not there gets his traffic past it, as with Istio. Else it is refused.
    pub waypoint_fallback_direct: bool,
    /// What runs a waypoint is made by the controller: a Service of its name that is not, is not its.
    pub deploys_waypoints: bool,
    /// Who comes past a waypoint gets in, as with Istio, except where a label says that it must be passed.
    pub waypoint_bypass: bool,
    /// Nodes are told of their pods, and what is wanted for each: in a cluster, where they cannot know otherwise.
    pub node_pods: bool,
    /// Pods of these namespaces are never enrolled, and neither are those of the root namespace.
    pub exclude_namespaces: Vec<Arc<str>>,
    /// Only pods whose label `istio.io/rev`, or their namespace's, has this value are ours: another mesh has the others.
    pub revision: Option<Arc<str>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cluster_id: "Kubernetes".into(),
            trust_domain: "cluster.local".into(),
            cluster_domain: "cluster.local".into(),
            root_namespace: "weir-system".into(),
            network: "".into(),
            adopt_istio_classes: false,
            dry_run: false,
            allocate_addresses: true,
            waypoint_fallback_direct: false,
            deploys_waypoints: false,
            waypoint_bypass: false,
            node_pods: false,
            exclude_namespaces: vec!["kube-system".into()],
            revision: None,
        }
    }
}
