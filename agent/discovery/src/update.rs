//! What a change of the mesh means for this node.

use std::path::PathBuf;
use std::sync::Arc;

use weir_model::{Directory, TunnelProtocol, Workload};

use crate::{File, NodePod};

/// The mesh after a change, and the workloads that this node captures.
#[derive(Debug, Clone, Default)]
pub struct Update {
    /// The whole mesh; the same that the [`Store`](crate::Store) gives.
    pub directory: Arc<Directory>,
    /// The workloads of this node that are to be captured, in the order of the file or of their uids.
    pub local: Vec<LocalWorkload>,
    /// Workloads of this node that should be captured and cannot be, by uid, with the reason.
    pub refused: Vec<(Arc<str>, String)>,
    /// The pods of this node, where the control plane tells what is wanted for each; `local` is empty then.
    pub node_pods: Option<Arc<[Arc<NodePod>]>>,
}

/// A workload that this node captures: HBONE, on this node, with a network namespace that the node can enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalWorkload {
    /// The workload.
    pub workload: Arc<Workload>,
    /// Path of its network namespace, for example `/run/netns/web`.
    pub netns: PathBuf,
    /// Ports that the node's own health probes may reach in plaintext.
    pub probe_ports: Vec<u16>,
}

/// A workload that terminates HBONE itself is left alone.
pub(crate) fn local(file: &File, node: &str, directory: &Directory) -> Vec<LocalWorkload> {
    let mut local = Vec::new();
    for entry in &file.workloads {
        let workload = &entry.workload;
        let captured = workload.tunnel_protocol == TunnelProtocol::Hbone && !workload.native_tunnel;
        let (true, true, Some(netns)) = (captured, &*workload.node == node, &entry.netns) else { continue };
        let Some(workload) = directory.workload(&workload.uid) else { continue };
        let probe_ports = entry.probe_ports.clone();
        local.push(LocalWorkload { workload: workload.clone(), netns: netns.clone(), probe_ports });
    }
    local
}
