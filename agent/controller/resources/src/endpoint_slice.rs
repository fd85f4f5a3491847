//! `discovery.k8s.io/v1` EndpointSlice.

use std::net::IpAddr;
use std::sync::Arc;

use crate::Meta;

/// Endpoints of a service. The service is label `kubernetes.io/service-name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointSlice {
    /// Metadata.
    pub meta: Meta,
    /// `endpoints`; of a slice with `addressType: FQDN` none is kept.
    pub endpoints: Vec<Endpoint>,
    /// `ports` (TCP).
    pub ports: Vec<SlicePort>,
}

/// One endpoint of a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `addresses`.
    pub addresses: Vec<IpAddr>,
    /// `conditions.ready`; true if not given.
    pub ready: bool,
    /// `targetRef` to a pod: namespace and name.
    pub pod: Option<(Arc<str>, Arc<str>)>,
    /// `nodeName`; empty if not given.
    pub node: Arc<str>,
    /// `zone`; empty if not given.
    pub zone: Arc<str>,
}

/// A port of a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlicePort {
    /// `name`, the service port's; empty if not given.
    pub name: Arc<str>,
    /// `port` on the endpoint.
    pub port: u16,
}
