//! The certificates of the node's pods: one per identity, there before the first connection needs it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use weir_discovery::LocalWorkload;
use weir_identity::Certificates;
use weir_model::Identity;

use super::Pods;

impl Pods {
    /// Has a certificate of every identity before the first connection needs it, and no renewal of one that nobody has.
    /// Without one the pod is captured all the same and its traffic refused: speaking plainly instead is never the answer.
    pub(super) async fn follow_identities(&mut self, wanted: &[LocalWorkload]) {
        // A path that is not there needs no certificate: the pod is not up yet, or deleted and still in the file.
        let there = wanted.iter().filter(|local| {
            self.enrolled.contains_key(&local.workload.uid) || std::fs::metadata(&local.netns).is_ok()
        });
        let needed: BTreeSet<Identity> = there.map(|local| local.workload.identity()).collect();
        for identity in self.identities.difference(&needed) {
            self.certificates.forget(identity);
        }
        // All at once: an authority that does not answer holds up the first enrolment, not each.
        join_all(needed.difference(&self.identities).map(|identity| prefetch(&self.certificates, identity)))
            .await;
        self.identities = needed;
    }
}

async fn prefetch(certificates: &Arc<Certificates>, identity: &Identity) {
    match tokio::time::timeout(FIRST_CERTIFICATE, certificates.fetch(identity)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%identity, "no certificate yet, its traffic is refused: {error}"),
        Err(_) => {
            tracing::warn!(%identity, "no certificate after {FIRST_CERTIFICATE:?}, its traffic is refused until there is one")
        }
    }
}

/// Enrolment waits so long for an identity's first certificate.
const FIRST_CERTIFICATE: Duration = Duration::from_secs(5);
