//! Where the mesh and the certificates come from, brought up: a control plane, or files of this node.

use std::sync::Arc;

use tokio::sync::watch::Sender;
use weir_discovery::channel::ControlChannel;
use weir_discovery::{Store, Update, watch_file, xds};
use weir_identity::{CertificateAuthority, FileAuthority};

use crate::config::{Signer, Source};

/// Who signs for this node's pods.
pub(crate) async fn authority(signer: &Signer) -> anyhow::Result<Arc<dyn CertificateAuthority>> {
    Ok(match signer {
        Signer::Dir(dir) => {
            let dir = dir.clone();
            let opened = tokio::task::spawn_blocking(move || FileAuthority::open_or_create(dir)).await??;
            Arc::new(opened)
        }
        Signer::Control(ca) => ca.authority()?,
    })
}

/// Keeps `store` at what the source says. Ends only with the reason why it cannot go on.
pub(crate) async fn follow(
    source: Source,
    node: String,
    store: Store,
    updates: Sender<Update>,
    status: Arc<xds::Status>,
) -> anyhow::Error {
    match source {
        Source::File(path) => {
            let ended = watch_file(path, node, store, updates).await;
            anyhow::anyhow!("discovery ended: {ended:?}")
        }
        Source::Control(control) => {
            let (channel, config): (ControlChannel, xds::Config) = *control;
            let never = xds::run(config, channel, store, updates, status).await;
            match never {}
        }
    }
}
