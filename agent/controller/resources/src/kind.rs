//! The kinds that the controller reads.

/// A kind of object, with its names in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `v1` Namespace.
    Namespace,
    /// `v1` Node.
    Node,
    /// `v1` Pod.
    Pod,
    /// `v1` Service.
    Service,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `v1` ServiceAccount.
    ServiceAccount,
    /// `v1` ConfigMap: mesh configuration and revocation lists.
    ConfigMap,
    /// `v1` Secret: TLS material that something names.
    Secret,
    /// `gateway.networking.k8s.io` GatewayClass.
    GatewayClass,
    /// `gateway.networking.k8s.io` Gateway.
    Gateway,
    /// `networking.istio.io` ServiceEntry.
    ServiceEntry,
    /// `networking.istio.io` WorkloadEntry.
    WorkloadEntry,
    /// `networking.istio.io` WorkloadGroup.
    WorkloadGroup,
    /// `security.istio.io` AuthorizationPolicy.
    AuthorizationPolicy,
    /// `security.istio.io` PeerAuthentication.
    PeerAuthentication,
    /// `networking.istio.io` VirtualService.
    VirtualService,
    /// `networking.istio.io` DestinationRule.
    DestinationRule,
    /// `gateway.networking.k8s.io` HTTPRoute.
    HttpRoute,
    /// `gateway.networking.k8s.io` GRPCRoute.
    GrpcRoute,
    /// `gateway.networking.k8s.io` ReferenceGrant.
    ReferenceGrant,
}

impl Kind {
    /// All, in the order in which they are best read: what others refer to first.
    pub const ALL: [Self; 20] = [
        Self::Namespace,
        Self::Node,
        Self::ConfigMap,
        Self::GatewayClass,
        Self::Gateway,
        Self::PeerAuthentication,
        Self::AuthorizationPolicy,
        Self::ServiceAccount,
        Self::Service,
        Self::ServiceEntry,
        Self::WorkloadEntry,
        Self::WorkloadGroup,
        Self::ReferenceGrant,
        Self::Secret,
        Self::DestinationRule,
        Self::VirtualService,
        Self::HttpRoute,
        Self::GrpcRoute,
        Self::EndpointSlice,
        Self::Pod,
    ];

    /// As in an object's `kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespace => "Namespace",
            Self::Node => "Node",
            Self::Pod => "Pod",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::ServiceAccount => "ServiceAccount",
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::GatewayClass => "GatewayClass",
            Self::Gateway => "Gateway",
            Self::ServiceEntry => "ServiceEntry",
            Self::WorkloadEntry => "WorkloadEntry",
            Self::WorkloadGroup => "WorkloadGroup",
            Self::AuthorizationPolicy => "AuthorizationPolicy",
            Self::PeerAuthentication => "PeerAuthentication",
            Self::VirtualService => "VirtualService",
            Self::DestinationRule => "DestinationRule",
            Self::HttpRoute => "HTTPRoute",
            Self::GrpcRoute => "GRPCRoute",
            Self::ReferenceGrant => "ReferenceGrant",
        }
    }

    /// As in a URL of the API.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Namespace => "namespaces",
            Self::Node => "nodes",
            Self::Pod => "pods",
            Self::Service => "services",
            Self::EndpointSlice => "endpointslices",
            Self::ServiceAccount => "serviceaccounts",
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
            Self::GatewayClass => "gatewayclasses",
            Self::Gateway => "gateways",
            Self::ServiceEntry => "serviceentries",
            Self::WorkloadEntry => "workloadentries",
            Self::WorkloadGroup => "workloadgroups",
            Self::AuthorizationPolicy => "authorizationpolicies",
            Self::PeerAuthentication => "peerauthentications",
            Self::VirtualService => "virtualservices",
            Self::DestinationRule => "destinationrules",
            Self::HttpRoute => "httproutes",
            Self::GrpcRoute => "grpcroutes",
            Self::ReferenceGrant => "referencegrants",
        }
    }

    /// API group; empty for the core group.
    pub fn group(self) -> &'static str {
        match self {
            Self::EndpointSlice => "discovery.k8s.io",
            Self::GatewayClass | Self::Gateway | Self::HttpRoute | Self::GrpcRoute | Self::ReferenceGrant => {
                "gateway.networking.k8s.io"
            }
            Self::ServiceEntry
            | Self::WorkloadEntry
            | Self::WorkloadGroup
            | Self::VirtualService
            | Self::DestinationRule => "networking.istio.io",
            Self::AuthorizationPolicy | Self::PeerAuthentication => "security.istio.io",
            _ => "",
        }
    }

    /// Served versions that are read, the preferred first. Their fields are the same.
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Self::GatewayClass | Self::Gateway => &["v1", "v1beta1"],
            Self::ServiceEntry
            | Self::WorkloadEntry
            | Self::WorkloadGroup
            | Self::VirtualService
            | Self::DestinationRule => &["v1", "v1beta1", "v1alpha3"],
            Self::HttpRoute => &["v1", "v1beta1", "v1alpha2"],
            Self::GrpcRoute => &["v1", "v1alpha2"],
            Self::ReferenceGrant => &["v1", "v1beta1", "v1alpha2"],
            Self::AuthorizationPolicy | Self::PeerAuthentication => &["v1", "v1beta1"],
            _ => &["v1"],
        }
    }

    /// Whether its spec is kept as it came, to be read part by part by who knows what it means.
    pub fn is_kept_raw(self) -> bool {
        matches!(self, Self::AuthorizationPolicy | Self::PeerAuthentication) || self.is_routing()
    }

    /// Whether only those are read that something names: nobody needs to know the others.
    pub fn is_read_by_name(self) -> bool {
        self == Self::Secret
    }

    /// Whether it is about requests.
    pub fn is_routing(self) -> bool {
        matches!(
            self,
            Self::VirtualService
                | Self::DestinationRule
                | Self::HttpRoute
                | Self::GrpcRoute
                | Self::ReferenceGrant
        )
    }

    /// Whether its objects are in a namespace.
    pub fn is_namespaced(self) -> bool {
        !matches!(self, Self::Namespace | Self::Node | Self::GatewayClass)
    }
}
