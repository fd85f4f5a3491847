//! The waypoint's own workload: who it is, and where.

use std::sync::Arc;

use weir_discovery::Store;
use weir_identity::Certificates;
use weir_model::Identity;

use super::feed::Place;

/// Keeps the certificate of the workload `uid`, as soon as the mesh has it, and says where the waypoint is. Never ends
/// by itself.
pub async fn keep(uid: Arc<str>, store: Store, certificates: Arc<Certificates>, place: Place) {
    let mut changes = store.changes();
    let mut kept: Option<Identity> = None;
    loop {
        changes.mark_unchanged();
        if let Some(own) = store.load().workload(&uid) {
            place.is(own);
            let identity = own.identity();
            if kept.as_ref() != Some(&identity) {
                tracing::info!(%identity, "this waypoint's identity");
                if let Some(old) = kept.replace(identity.clone()) {
                    certificates.forget(&old);
                }
                let certificates = certificates.clone();
                tokio::spawn(async move {
                    if let Err(error) = certificates.fetch(&identity).await {
                        // It goes on in the background.
                        tracing::error!("no certificate yet: {error}");
                    }
                });
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}
