//! One machine without Kubernetes: objects in a directory of YAML, the CA and the tokens' keys in another.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use weir_identity::ca::{CaAuthority, DirStore};
use weir_serve::auth::{ISSUER, JwksKeys, JwksVerifier, system_clock};
use weir_sources::Directory;

use super::{BATCHES, Backing, Tasks};
use crate::config::Config;
use crate::mesh::{Board, Statuses};
use crate::{rotate, token};

pub(super) async fn open(
    config: &Config,
    objects: &Path,
    state: &Path,
    tasks: &mut Tasks,
) -> anyhow::Result<Backing> {
    let store = Arc::new(DirStore::new(rotate::ca(state)));
    let authority = CaAuthority::open_or_create(store, super::authority(config)).await?;
    let keys = token::keys(state);
    let keys = tokio::task::spawn_blocking(move || JwksKeys::open_or_create(keys)).await??;
    let verifier = JwksVerifier::open(keys.jwks(), token::AUDIENCE, Some(ISSUER), system_clock())?;

    let (sender, events) = mpsc::channel(BATCHES);
    let source = Directory::new(objects.to_owned()).remember_in(state.join("objects"));
    let source = source.cluster_domain(config.index.cluster_domain.clone());
    tasks.spawn(async move {
        let ended = source.run(sender).await;
        ended.map_or_else(anyhow::Error::from, |never| match never {})
    });
    // There is nobody to be elected against: a directory has one controller that writes into it.
    let (alone, leads) = watch::channel(true);
    let rotation = authority.clone();
    tasks.spawn(async move {
        rotation.run(move || *alone.borrow()).await;
        anyhow::anyhow!("the rotation of the CA ended")
    });
    let board = Arc::<Board>::default();
    tracing::info!(objects = %objects.display(), state = %state.display(), "reading a directory");
    Ok(Backing {
        authority,
        verifier: Arc::new(verifier),
        node_tokens: true,
        events,
        statuses: Statuses::Shown(board.clone()),
        waypoints: None,
        pods: None,
        board: Some(board),
        sources: None,
        secrets: None,
        leads,
        seat: None,
    })
}
