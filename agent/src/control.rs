//! Where the mesh and the certificates come from, brought up: a control plane, or files of this node.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Sender;
use weir_discovery::channel::{ChannelError, ControlChannel};
use weir_discovery::{Store, Update, watch_file, xds};
use weir_identity::{CertificateAuthority, FileAuthority, RemoteAuthority, RemoteConfig};

use crate::config::{Control, Signer, Source};

/// Who signs for this node's pods.
pub(crate) async fn authority(signer: &Signer) -> anyhow::Result<Arc<dyn CertificateAuthority>> {
    Ok(match signer {
        Signer::Dir(dir) => {
            let dir = dir.clone();
            let opened = tokio::task::spawn_blocking(move || FileAuthority::open_or_create(dir)).await??;
            Arc::new(opened)
        }
        Signer::Control(control) => Arc::new(remote(control)?),
    })
}

fn remote(control: &Control) -> Result<impl CertificateAuthority + use<>, ChannelError> {
    let Control { channel, headers, root_cert_file } = control;
    let credentials = channel.credentials();
    let config = RemoteConfig {
        name: channel.address().to_owned(),
        token: Arc::new(move || credentials.token().map(Some)),
        headers: headers.clone(),
        deadline: DEADLINE,
        roots_file: Some(root_cert_file.clone()),
    };
    Ok(RemoteAuthority::new(channel.lazy()?, config))
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

/// For one certificate.
const DEADLINE: Duration = Duration::from_secs(10);
