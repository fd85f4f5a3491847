//! Pods of the node.

use std::sync::Arc;

use weir_model::Directory;
use weir_proto::node as proto;

use super::{Name, Picture, same_name};
use crate::{Changes, NodePod, convert};

impl Picture {
    pub(super) fn put_node_pod(
        &mut self,
        name: &str,
        message: proto::Pod,
        changes: &mut Changes,
    ) -> Result<Name, String> {
        let pod = convert::node_pod(message).map_err(|rejection| rejection.to_string())?;
        let key: Name = format!("{}/{}", pod.namespace, pod.name).into();
        same_name(name, &key)?;
        if self.node_pods.get(&key).is_none_or(|known| **known != pod) {
            changes.node_pods += 1;
            self.node_pods.insert(key.clone(), Arc::new(pod));
        }
        Ok(key)
    }

    pub(in crate::xds) fn node_pods(&self) -> Arc<[Arc<NodePod>]> {
        self.node_pods.values().cloned().collect()
    }

    /// The mesh knows a pod when it has an address. Until then its own node knows it by what it is told of its pods; what
    /// the mesh says counts more.
    pub(in crate::xds) fn with_early_pods(&self) -> Directory {
        let mut directory = self.directory.clone();
        for workload in self.node_pods.values().filter_map(|pod| pod.workload.as_ref()) {
            if directory.workload(&workload.uid).is_none() {
                directory.upsert_workload(workload.clone());
            }
        }
        directory
    }
}
