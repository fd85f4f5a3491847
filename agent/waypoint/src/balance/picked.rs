//! An endpoint that was chosen, for as long as it is at work.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use super::{breaker::Permit, cluster::Cluster, endpoint::Endpoint, outlier::Outcome};

/// A chosen endpoint. While it lives, the request counts as active there and in the cluster's limits.
#[derive(Debug)]
#[must_use = "what is dropped is not counted"]
pub struct Picked {
    cluster: Arc<Cluster>,
    endpoint: Arc<Endpoint>,
    _permits: [Option<Permit>; 2],
}

impl Picked {
    pub(super) fn new(
        cluster: Arc<Cluster>,
        endpoint: Arc<Endpoint>,
        permits: [Option<Permit>; 2],
    ) -> Picked {
        endpoint.known.active.fetch_add(1, Ordering::Relaxed);
        Picked { cluster, endpoint, _permits: permits }
    }

    /// Where to go. To be kept for [`super::PickContext::tried`].
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// What came of it, for outlier detection: at the response's head, or at a failure before. What is never told (the client
    /// went away) counts for nothing.
    pub fn done(&self, now: Instant, outcome: Outcome) {
        self.cluster.note(&self.endpoint, now, outcome);
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        self.endpoint.known.active.fetch_sub(1, Ordering::Relaxed);
    }
}
