//! Which of the mesh's workloads this node captures.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use weir_model::{Directory, NetworkMode, TunnelProtocol, Workload};

use super::NetnsPattern;
use crate::{LocalWorkload, Update};

/// How this node knows its own.
#[derive(Debug, Clone)]
pub enum Local {
    /// By the mesh itself: workloads that name the node, and a pattern for where they are.
    Pattern(LocalPods),
    /// The control plane tells which pods are here and what is wanted for each.
    Told,
}

/// Workloads that name a node.
#[derive(Debug, Clone)]
pub struct LocalPods {
    /// Name of the node.
    pub node: String,
    /// Cluster of the node: two clusters may have nodes of one name.
    pub cluster: String,
    /// Where the pods' network namespaces are.
    pub netns: NetnsPattern,
}

impl LocalPods {
    /// What `directory` means for this node.
    pub(crate) fn update(&self, directory: Arc<Directory>) -> Update {
        let mut places: Vec<(Arc<Workload>, Option<PathBuf>)> = Vec::new();
        for workload in directory.workloads_on(&self.node).filter(|workload| self.captures(workload)) {
            places.push((workload.clone(), self.netns.path(&workload.namespace, &workload.name)));
        }
        let mut claims: HashMap<PathBuf, usize> = HashMap::new();
        for path in places.iter().filter_map(|(_, path)| path.as_ref()) {
            *claims.entry(path.clone()).or_default() += 1;
        }
        let (mut local, mut refused) = (Vec::new(), Vec::new());
        for (workload, netns) in places {
            let Some(netns) = netns else {
                let why = format!("no path can be made of {:?} and {:?}", workload.namespace, workload.name);
                refused.push((workload.uid.clone(), why));
                continue;
            };
            // Whose traffic comes out of it cannot be told; nobody may speak for both.
            if claims.get(&netns).is_some_and(|claims| *claims > 1) {
                let path = netns.display();
                let why = format!(
                    "another pod has the same network namespace {path}; does the pattern need {{namespace}}?"
                );
                refused.push((workload.uid.clone(), why));
                continue;
            }
            local.push(LocalWorkload { workload, netns, probe_ports: Vec::new() });
        }
        Update { directory, local, refused, node_pods: None }
    }

    /// A pod with a network namespace of its own that does not speak HBONE itself. Only pods run on nodes: other
    /// workloads that name one are somebody's machine.
    fn captures(&self, workload: &Workload) -> bool {
        let pod =
            workload.uid.strip_prefix(&*workload.cluster_id).is_some_and(|rest| rest.starts_with("//Pod/"));
        pod && *workload.cluster_id == *self.cluster
            && workload.tunnel_protocol == TunnelProtocol::Hbone
            && workload.network_mode == NetworkMode::Standard
            && !workload.native_tunnel
    }
}

#[cfg(test)]
mod tests;
