//! `v1` Pod.

use std::net::IpAddr;
use std::sync::Arc;

use crate::Meta;

/// A pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pod {
    /// Metadata.
    pub meta: Meta,
    /// `spec.nodeName`; empty until it is scheduled.
    pub node: Arc<str>,
    /// `spec.serviceAccountName`; `default` if not given.
    pub service_account: Arc<str>,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// `status.podIPs` (or `podIP`), primary first.
    pub addresses: Vec<IpAddr>,
    /// `status.phase`.
    pub phase: Phase,
    /// Condition Ready of the status.
    pub ready: bool,
    /// The owning controller, `metadata.ownerReferences` with `controller: true`: kind and name.
    pub owner: Option<(Arc<str>, Arc<str>)>,
    /// Named ports of all containers (and of sidecar init containers, `restartPolicy: Always`).
    pub ports: Vec<ContainerPort>,
    /// Ports of the pod that the kubelet connects to: those of probes and of lifecycle hooks (not of those that name another
    /// host), in order.
    pub probe_ports: Box<[u16]>,
    /// `spec.runtimeClassName`; empty for the node's own runtime.
    pub runtime_class: Arc<str>,
}

/// A named port of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerPort {
    /// Its name.
    pub name: Arc<str>,
    /// Its number.
    pub port: u16,
    /// TCP, and not UDP or SCTP.
    pub tcp: bool,
}

/// `status.phase` of a pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Not running yet, or not said.
    #[default]
    Pending,
    /// At least one container runs.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// The node does not answer.
    Unknown,
}
