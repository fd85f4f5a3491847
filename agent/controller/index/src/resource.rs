//! A resource as it goes over the wire, encoded once.

use std::sync::Arc;

use bytes::Bytes;

use crate::Layer7;

/// What a resource holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// An `istio.workload.Address` with a workload.
    Workload,
    /// An `istio.workload.Address` with a service.
    Service,
    /// An `istio.security.Authorization`.
    Authorization,
    /// What a waypoint is told.
    Layer7(Layer7),
    /// A `weir.node.Pod`.
    NodePod,
}

/// An encoded resource. Shared by all that send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its name: a uid, `namespace/hostname`, or `namespace/name`; of what waypoints are told, the namespace of those
    /// waypoints is before it (`scoped`); of what a node is told of its pods, the node.
    pub name: Arc<str>,
    /// What it holds.
    pub kind: ResourceKind,
    /// xxhash64 of the body; the wire's version is this in hex.
    pub version: u64,
    /// The message, encoded (for an address the whole `Address`).
    pub body: Bytes,
    /// `network/ip` of each address (`network/ip/len` of a range).
    pub aliases: Box<[Arc<str>]>,
    /// Node of a workload; empty else.
    pub node: Arc<str>,
    /// Keys `namespace/hostname` of the services that a workload serves; empty else.
    pub services: Box<[Arc<str>]>,
}
