//! What nodes are told of their pods.

use std::sync::Arc;

use weir_resources::{Phase, Pod};

use super::Index;
use crate::{publish, scoped};

impl Index {
    /// Tells a pod's node about it. A pod without a node is nobody's, one that has ended is nothing to a node any more.
    pub(super) fn compute_node_pod(&mut self, id: u32) {
        if !self.world.config.node_pods {
            return;
        }
        let Some(pod) = self.world.pods.at(id).filter(|pod| !pod.node.is_empty()) else { return };
        let has_ended = matches!(pod.phase, Phase::Succeeded | Phase::Failed);
        let message = (!has_ended).then(|| publish::node_pod(&self.world, pod));
        self.output.node_pod(&pod.node, name(pod), message);
    }

    /// The pod is gone from the node that it was on.
    pub(super) fn forget_node_pod(&mut self, old: &Pod) {
        if self.world.config.node_pods && !old.node.is_empty() {
            self.output.node_pod(&old.node, name(old), None);
        }
    }
}

fn name(pod: &Pod) -> Arc<str> {
    scoped(&pod.node, &format!("{}/{}", pod.meta.namespace, pod.meta.name))
}
