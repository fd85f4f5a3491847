//! A pod of this node, as the control plane tells of it.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::Workload;

/// A pod of this node, and what is wanted for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePod {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// The uid in cgroups and CNI calls: the same, but for pods that come from a file of the node.
    pub node_uid: Arc<str>,
    /// Its service account.
    pub service_account: Arc<str>,
    /// Empty until the API has them.
    pub addresses: Vec<IpAddr>,
    /// What is wanted for it.
    pub wish: Wish,
    /// Ports that the kubelet connects to.
    pub probe_ports: Vec<u16>,
    /// Its workload, while the mesh does not have it.
    pub workload: Option<Workload>,
    /// Others are told to reach it by tunnel.
    pub announced: bool,
    /// What it says of itself.
    pub captured: Option<Captured>,
}

/// What is wanted for a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Nobody asked for it.
    Leave,
    /// To capture its traffic.
    Enrol,
    /// It was asked for and cannot be.
    Refuse {
        /// One word.
        reason: String,
        /// A sentence.
        message: String,
    },
}

/// A pod's condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// True or False.
    pub is: bool,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
}
