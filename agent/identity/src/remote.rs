//! A certificate authority over gRPC: `istio.v1.auth.IstioCertificateService`.
//!
//! The same call serves istiod and `weir-controller`. What comes back is read with care, since it decides whom this
//! node's workloads are and trust: the leaf must name whom it was asked for, and there must be a root.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tonic::body::Body;
use tonic::client::GrpcService;
use weir_model::Identity;

use crate::{CaError, CertificateAuthority, SignFuture};

/// Gives the bearer token for one request; read each time, since kubelet renews the file. `None`: the channel brings
/// its own proof.
pub type TokenSource = Arc<dyn Fn() -> io::Result<Option<String>> + Send + Sync>;

/// Asks a CA behind a gRPC channel.
pub struct RemoteAuthority<C> {
    channel: C,
    config: RemoteConfig,
}

/// How a [`RemoteAuthority`] asks.
#[derive(Clone)]
pub struct RemoteConfig {
    /// What errors call it: the address.
    pub name: String,
    /// The proof of who we are.
    pub token: TokenSource,
    /// Further gRPC metadata (`clusterid`, and the user's own).
    pub headers: Vec<(String, String)>,
    /// For one call.
    pub deadline: Duration,
    /// A file with the control plane's roots. When it changes, all certificates are renewed, so that a rotation of the
    /// root need not wait for half of their lives.
    pub roots_file: Option<PathBuf>,
}

impl<C> RemoteAuthority<C>
where
    C: GrpcService<Body> + Clone + Send + Sync,
{
    /// Asks over `channel` (a tonic `Channel`, or whatever wraps one).
    pub fn new(channel: C, config: RemoteConfig) -> Self {
        Self { channel, config }
    }
}

impl<C> CertificateAuthority for RemoteAuthority<C>
where
    C: GrpcService<Body> + Clone + Send + Sync,
{
    fn sign(&self, _csr_der: Vec<u8>, identity: Identity, _lifetime: Duration) -> SignFuture<'_> {
        let _channel = self.channel.clone();
        let (authority, source) = (self.config.name.clone(), "not written yet".into());
        Box::pin(async move { Err(CaError::Unavailable { authority, identity, source }) })
    }
}
