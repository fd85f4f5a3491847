//! `v1` Node.

use std::net::IpAddr;

use crate::Meta;

/// A node. Locality is in its labels: `topology.kubernetes.io/{region,zone}`, `topology.istio.io/subzone`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// Metadata.
    pub meta: Meta,
    /// `status.addresses` of types InternalIP and ExternalIP.
    pub addresses: Vec<IpAddr>,
}
