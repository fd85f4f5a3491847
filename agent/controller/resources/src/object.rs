//! Any object.

use crate::{
    ConfigMap, EndpointSlice, Gateway, GatewayClass, Key, Kind, Meta, Namespace, Node, Pod, Policy, Routing,
    Secret, Service, ServiceAccount, ServiceEntry, WorkloadEntry, WorkloadGroup,
};

/// An object of one of the kinds.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "each is the kind that it is named by")]
pub enum Object {
    Namespace(Namespace),
    Node(Node),
    Pod(Pod),
    Service(Service),
    EndpointSlice(EndpointSlice),
    ServiceAccount(ServiceAccount),
    ConfigMap(ConfigMap),
    GatewayClass(GatewayClass),
    Gateway(Gateway),
    ServiceEntry(ServiceEntry),
    WorkloadEntry(WorkloadEntry),
    WorkloadGroup(WorkloadGroup),
    AuthorizationPolicy(Policy),
    PeerAuthentication(Policy),
    VirtualService(Routing),
    DestinationRule(Routing),
    HttpRoute(Routing),
    GrpcRoute(Routing),
    ReferenceGrant(Routing),
    Secret(Secret),
}

impl Object {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.parts().0
    }

    /// Its metadata.
    pub fn meta(&self) -> &Meta {
        self.parts().1
    }

    /// What it is known by.
    pub fn key(&self) -> Key {
        let (kind, meta) = self.parts();
        Key { kind, namespace: meta.namespace.clone(), name: meta.name.clone() }
    }

    /// Its metadata, to change.
    pub fn meta_mut(&mut self) -> &mut Meta {
        match self {
            Self::Namespace(o) => &mut o.meta,
            Self::Node(o) => &mut o.meta,
            Self::Pod(o) => &mut o.meta,
            Self::Service(o) => &mut o.meta,
            Self::EndpointSlice(o) => &mut o.meta,
            Self::ServiceAccount(o) => &mut o.meta,
            Self::ConfigMap(o) => &mut o.meta,
            Self::Secret(o) => &mut o.meta,
            Self::GatewayClass(o) => &mut o.meta,
            Self::Gateway(o) => &mut o.meta,
            Self::ServiceEntry(o) => &mut o.meta,
            Self::WorkloadEntry(o) => &mut o.meta,
            Self::WorkloadGroup(o) => &mut o.meta,
            Self::AuthorizationPolicy(o) | Self::PeerAuthentication(o) => &mut o.meta,
            Self::VirtualService(o)
            | Self::DestinationRule(o)
            | Self::HttpRoute(o)
            | Self::GrpcRoute(o)
            | Self::ReferenceGrant(o) => &mut o.meta,
        }
    }

    fn parts(&self) -> (Kind, &Meta) {
        match self {
            Self::Namespace(o) => (Kind::Namespace, &o.meta),
            Self::Node(o) => (Kind::Node, &o.meta),
            Self::Pod(o) => (Kind::Pod, &o.meta),
            Self::Service(o) => (Kind::Service, &o.meta),
            Self::EndpointSlice(o) => (Kind::EndpointSlice, &o.meta),
            Self::ServiceAccount(o) => (Kind::ServiceAccount, &o.meta),
            Self::ConfigMap(o) => (Kind::ConfigMap, &o.meta),
            Self::Secret(o) => (Kind::Secret, &o.meta),
            Self::GatewayClass(o) => (Kind::GatewayClass, &o.meta),
            Self::Gateway(o) => (Kind::Gateway, &o.meta),
            Self::ServiceEntry(o) => (Kind::ServiceEntry, &o.meta),
            Self::WorkloadEntry(o) => (Kind::WorkloadEntry, &o.meta),
            Self::WorkloadGroup(o) => (Kind::WorkloadGroup, &o.meta),
            Self::AuthorizationPolicy(o) => (Kind::AuthorizationPolicy, &o.meta),
            Self::PeerAuthentication(o) => (Kind::PeerAuthentication, &o.meta),
            Self::VirtualService(o) => (Kind::VirtualService, &o.meta),
            Self::DestinationRule(o) => (Kind::DestinationRule, &o.meta),
            Self::HttpRoute(o) => (Kind::HttpRoute, &o.meta),
            Self::GrpcRoute(o) => (Kind::GrpcRoute, &o.meta),
            Self::ReferenceGrant(o) => (Kind::ReferenceGrant, &o.meta),
        }
    }
}
