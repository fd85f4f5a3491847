//! What a choice depends on, and why there may be none.

use std::{net::SocketAddr, sync::Arc};

use super::{breaker::Limit, endpoint::Endpoint};

/// What a choice depends on.
#[derive(Debug, Clone, Copy, Default)]
pub struct PickContext<'a> {
    /// What is to be sent.
    pub purpose: Purpose,
    /// From [`Cluster::key`]; `None`: anywhere.
    pub hash: Option<u64>,
    /// The address that the client dialled, for passthrough.
    pub original_destination: Option<SocketAddr>,
    /// Endpoints to stay away from: those of earlier tries.
    pub tried: &'a [Arc<Endpoint>],
    /// `Retry::remote_localities`: stay away from the levels of those, too.
    pub remote_localities: bool,
}

/// What is sent, and which limits hold for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// A request for the first time.
    #[default]
    Request,
    /// A request again.
    Retry,
    /// A connection whose requests nobody reads.
    Connection,
}

/// Why there is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PickError {
    /// The cluster has none.
    #[error("no endpoints")]
    NoEndpoints,
    /// All of them are unhealthy or ejected.
    #[error("no healthy endpoints")]
    NoHealthy,
    /// Passthrough, and it is not known where to.
    #[error("the address that the client dialled is not known")]
    NoOriginalDestination,
    /// One of the cluster's limits.
    #[error(transparent)]
    Overflow(#[from] Limit),
}
