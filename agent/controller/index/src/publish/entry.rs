//! A workload entry.

use crate::world::World;

/// The uid of a workload entry's workload.
pub(crate) fn entry_uid(world: &World, namespace: &str, name: &str) -> String {
    format!("{}/networking.istio.io/WorkloadEntry/{namespace}/{name}", world.config.cluster_id)
}
