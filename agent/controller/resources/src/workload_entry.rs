//! `networking.istio.io` WorkloadEntry and WorkloadGroup.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Labels, Meta};

/// A workload that is no pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkloadEntry {
    /// Metadata.
    pub meta: Meta,
    /// `spec`.
    pub spec: WorkloadSpec,
    /// Condition Healthy of the status; true if it is not there.
    pub healthy: bool,
}

/// A template for workload entries. Nobody registers by it; it is read so that it gets an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkloadGroup {
    /// Metadata.
    pub meta: Meta,
}

/// `spec` of a workload entry, and an endpoint of a service entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkloadSpec {
    /// An address, a host name, or a path that begins with `unix://`.
    pub address: Arc<str>,
    /// Numbers of ports by the service port's name.
    pub ports: BTreeMap<Arc<str>, u16>,
    /// Labels of the workload (for an entry beside those of its metadata).
    pub labels: Labels,
    /// Network; empty if not given.
    pub network: Arc<str>,
    /// `region/zone/subzone`; empty if not given.
    pub locality: Arc<str>,
    /// Weight; 0 is not given.
    pub weight: u32,
    /// Service account; `default` if not given.
    pub service_account: Arc<str>,
}
