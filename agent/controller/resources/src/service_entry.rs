//! `networking.istio.io` ServiceEntry.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::Deserialize;

use crate::{Labels, Meta, WorkloadSpec};

/// A service that is not Kubernetes' own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceEntry {
    /// Metadata.
    pub meta: Meta,
    /// `spec.hosts`.
    pub hosts: Vec<Arc<str>>,
    /// `spec.addresses`: virtual addresses and ranges. A single address has its full length.
    pub addresses: Vec<IpNet>,
    /// `spec.ports`.
    pub ports: Vec<ServiceEntryPort>,
    /// `spec.location`.
    pub location: Location,
    /// `spec.resolution`.
    pub resolution: Resolution,
    /// `spec.endpoints`, beside which there is no selector.
    pub endpoints: Vec<WorkloadSpec>,
    /// `spec.workloadSelector.labels`.
    pub selector: Labels,
    /// `spec.exportTo`.
    pub export_to: Vec<Arc<str>>,
    /// `spec.subjectAltNames`.
    pub subject_alt_names: Vec<Arc<str>>,
    /// `status.addresses`: what a controller allocated, with the host that it is for (all if empty).
    pub allocated: Vec<(Arc<str>, IpAddr)>,
}

/// A port of a service entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEntryPort {
    /// `name`.
    pub name: Arc<str>,
    /// `number`.
    pub port: u16,
    /// `targetPort`; the same number if not given.
    pub target: u16,
    /// `protocol`.
    pub protocol: Arc<str>,
}

/// `spec.location` of a service entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Location {
    /// Outside of the mesh.
    #[default]
    #[serde(rename = "MESH_EXTERNAL")]
    External,
    /// In the mesh.
    #[serde(rename = "MESH_INTERNAL")]
    Internal,
}

/// `spec.resolution` of a service entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Resolution {
    /// The dialled address is the destination.
    #[default]
    None,
    /// Endpoints have addresses.
    Static,
    /// Hosts are names to resolve.
    Dns,
    /// The same, one address of several.
    DnsRoundRobin,
    /// The name is known with the connection only.
    DynamicDns,
}
