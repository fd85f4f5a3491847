//! Which resource is meant, and which of two comes first.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use weir_resources::Meta;

/// A kind of resource that becomes the neutral form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `networking.istio.io` VirtualService.
    VirtualService,
    /// `networking.istio.io` DestinationRule.
    DestinationRule,
    /// `gateway.networking.k8s.io` HTTPRoute.
    HttpRoute,
    /// `gateway.networking.k8s.io` GRPCRoute.
    GrpcRoute,
}

impl Kind {
    /// As in an object's `kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::VirtualService => "VirtualService",
            Self::DestinationRule => "DestinationRule",
            Self::HttpRoute => "HTTPRoute",
            Self::GrpcRoute => "GRPCRoute",
        }
    }

    /// API group.
    pub fn group(self) -> &'static str {
        match self {
            Self::VirtualService | Self::DestinationRule => "networking.istio.io",
            Self::HttpRoute | Self::GrpcRoute => "gateway.networking.k8s.io",
        }
    }

    /// Served versions that are read, the preferred first. Their fields are the same.
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Self::VirtualService | Self::DestinationRule => &["v1", "v1beta1", "v1alpha3"],
            Self::HttpRoute => &["v1", "v1beta1", "v1alpha2"],
            Self::GrpcRoute => &["v1", "v1alpha2"],
        }
    }
}

/// Names a resource: `VirtualService/shop/reviews`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl ObjectRef {
    pub(crate) fn new(kind: Kind, meta: &Meta) -> Self {
        Self { kind, namespace: meta.namespace.clone(), name: meta.name.clone() }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind.name(), self.namespace, self.name)
    }
}

/// The order of resources that speak about the same thing: oldest first, then by namespace and name. One that does not
/// say when it was made is younger than all that do.
pub(crate) fn by_age(a: &Meta, b: &Meta) -> Ordering {
    let key = |meta: &Meta| (meta.created.unwrap_or(i64::MAX), meta.namespace.clone(), meta.name.clone());
    key(a).cmp(&key(b))
}
