//! Where a workload runs, coarse to fine.

use std::sync::Arc;

use serde::Serialize;

/// Region, zone and sub-zone of a workload's node; a part that is not known is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Locality {
    /// `topology.kubernetes.io/region`.
    pub region: Arc<str>,
    /// `topology.kubernetes.io/zone`.
    pub zone: Arc<str>,
    /// `topology.istio.io/subzone`.
    pub subzone: Arc<str>,
}
