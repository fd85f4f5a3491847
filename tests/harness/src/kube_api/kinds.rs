//! The kinds that are served.

/// A kind, as a discovery document describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KindDef {
    /// API group; empty for the core group.
    pub(crate) group: String,
    /// Served versions, the preferred first.
    pub(crate) versions: Vec<String>,
    pub(crate) kind: String,
    pub(crate) plural: String,
    pub(crate) namespaced: bool,
    /// Its status is a resource of its own, and cannot be written otherwise.
    pub(crate) status: bool,
    /// From a CustomResourceDefinition: `metadata.generation` is kept, an update needs a resource version.
    pub(crate) custom: bool,
}

impl KindDef {
    pub(crate) fn new(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        Self {
            group: group.to_owned(),
            versions: version.split(',').map(str::to_owned).collect(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced: true,
            status: false,
            custom: false,
        }
    }

    fn cluster(mut self) -> Self {
        self.namespaced = false;
        self
    }

    fn with_status(mut self) -> Self {
        self.status = true;
        self
    }

    fn custom(mut self) -> Self {
        self.custom = true;
        self.with_status()
    }

    /// `group/version`, or `v1`.
    pub(crate) fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// The version that objects are kept in.
    pub(crate) fn preferred(&self) -> String {
        self.api_version(self.versions.first().map_or("v1", String::as_str))
    }
}

/// Kubernetes' own, as far as somebody here asks for them.
pub(crate) fn built_in() -> Vec<KindDef> {
    let core = |kind, plural| KindDef::new("", "v1", kind, plural);
    let rbac = |kind, plural| KindDef::new("rbac.authorization.k8s.io", "v1", kind, plural);
    let webhooks = |kind, plural| KindDef::new("admissionregistration.k8s.io", "v1", kind, plural).cluster();
    vec![
        core("Namespace", "namespaces").cluster().with_status(),
        core("Node", "nodes").cluster().with_status(),
        core("Pod", "pods").with_status(),
        core("Service", "services").with_status(),
        core("ServiceAccount", "serviceaccounts"),
        core("ConfigMap", "configmaps"),
        core("Secret", "secrets"),
        KindDef::new("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
        KindDef::new("coordination.k8s.io", "v1", "Lease", "leases"),
        KindDef::new("apps", "v1", "Deployment", "deployments").with_status(),
        KindDef::new("apps", "v1", "DaemonSet", "daemonsets").with_status(),
        KindDef::new("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
            .with_status(),
        KindDef::new("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets").with_status(),
        KindDef::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions")
            .cluster()
            .with_status(),
        webhooks("ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
        rbac("ClusterRole", "clusterroles").cluster(),
        rbac("ClusterRoleBinding", "clusterrolebindings").cluster(),
        rbac("Role", "roles"),
        rbac("RoleBinding", "rolebindings"),
    ]
}

/// Istio's and the Gateway API's that the mesh reads.
pub(crate) fn mesh() -> Vec<KindDef> {
    let gateway =
        |kind, plural| KindDef::new("gateway.networking.k8s.io", "v1,v1beta1", kind, plural).custom();
    let network =
        |kind, plural| KindDef::new("networking.istio.io", "v1,v1beta1,v1alpha3", kind, plural).custom();
    let security = |kind, plural| KindDef::new("security.istio.io", "v1,v1beta1", kind, plural).custom();
    vec![
        gateway("GatewayClass", "gatewayclasses").cluster(),
        gateway("Gateway", "gateways"),
        gateway("HTTPRoute", "httproutes"),
        KindDef::new("gateway.networking.k8s.io", "v1", "GRPCRoute", "grpcroutes").custom(),
        KindDef::new("gateway.networking.k8s.io", "v1beta1", "ReferenceGrant", "referencegrants").custom(),
        network("VirtualService", "virtualservices"),
        network("DestinationRule", "destinationrules"),
        network("ServiceEntry", "serviceentries"),
        network("WorkloadEntry", "workloadentries"),
        network("WorkloadGroup", "workloadgroups"),
        security("AuthorizationPolicy", "authorizationpolicies"),
        security("PeerAuthentication", "peerauthentications"),
    ]
}
