//! `v1` Service.

use std::net::IpAddr;
use std::sync::Arc;

use crate::{Labels, Meta};

/// A service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Metadata.
    pub meta: Meta,
    /// `spec.type: ExternalName`; it has no endpoints.
    pub external_name: bool,
    /// `spec.clusterIPs` (or `clusterIP`) that are addresses; empty for a headless service.
    pub cluster_ips: Vec<IpAddr>,
    /// `spec.selector`; empty selects nothing (its endpoints are in EndpointSlices of somebody else's).
    pub selector: Labels,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// `spec.internalTrafficPolicy: Local`.
    pub internal_local: bool,
    /// `spec.trafficDistribution`; empty if not given.
    pub traffic_distribution: Arc<str>,
    /// `spec.ipFamilies`: IPv4, IPv6; empty if not given.
    pub ip_families: Vec<Arc<str>>,
    /// `spec.externalIPs` and `status.loadBalancer.ingress[].ip`.
    pub external_ips: Vec<IpAddr>,
}

/// A port of a service. Only TCP ones are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// `name`; empty if not given.
    pub name: Arc<str>,
    /// `port`.
    pub port: u16,
    /// `targetPort`; the service's port if not given.
    pub target: TargetPort,
    /// `appProtocol`; empty if not given.
    pub app_protocol: Arc<str>,
}

/// Where a service port goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetPort {
    /// A number.
    Number(u16),
    /// A name that each pod's containers give a number.
    Name(Arc<str>),
}
