//! Where pods are, for the CA: as the newest picture of the mesh says.

use weir_serve::Store;
use weir_serve::ca::{Placement, PodPlace};

/// The store, as the CA asks it.
pub(crate) struct Placed(pub(crate) Store);

impl Placement for Placed {
    fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    fn pod(&self, namespace: &str, name: &str) -> Option<PodPlace> {
        let snapshot = self.0.snapshot();
        let pod = snapshot.pod(namespace, name)?;
        Some(PodPlace {
            uid: pod.uid.clone(),
            service_account: pod.service_account.clone(),
            node: pod.node.clone(),
        })
    }

    fn runs(&self, node: &str, namespace: &str, service_account: &str) -> bool {
        self.0.snapshot().runs(node, namespace, service_account)
    }
}
