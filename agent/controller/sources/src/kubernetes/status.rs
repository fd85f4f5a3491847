//! What objects are told.
//!
//! A status is read, changed and written back under the version that was read, as a merge patch. Server-side apply would
//! be shorter, and wrong: in Istio's definitions `status.conditions` is a list without a key, so whoever applies a condition
//! owns the whole list, and the conditions of others would go.

mod merge;
mod queue;
mod write;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;
use weir_resources::{Condition, GatewayStatus, Key};

use super::Cluster;
pub(super) use merge::put_conditions;
use queue::Queue;
use write::{Outcome, Write};

/// The status that an object should have and has not. Conditions of other types are left as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusPatch {
    /// Which object.
    pub key: Key,
    /// `metadata.generation` that this is about; 0 where it is not kept.
    pub generation: i64,
    /// Conditions to be there.
    pub conditions: Vec<Condition>,
    /// Types of conditions of ours that are there and must not be.
    pub remove: Vec<String>,
    /// Of a service entry: the addresses allocated, with their host; `None` leaves them as they are.
    pub addresses: Option<Vec<(Arc<str>, IpAddr)>>,
    /// Of a route: for each parent that is ours, as the route writes it, its conditions. `None` leaves them as they are.
    pub parents: Option<Vec<(Value, Vec<Condition>)>>,
    /// Of a Gateway or a GatewayClass: what else there is to say.
    pub gateway: Option<GatewayStatus>,
}

/// Writes statuses, one after the other. Clones are one.
#[derive(Clone)]
pub struct StatusWriter {
    cluster: Cluster,
    queue: Arc<Queue>,
}

impl StatusWriter {
    /// A writer with nothing to do. [`StatusWriter::run`] does it.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone(), queue: Arc::default() }
    }

    /// Asks for a status. What was asked for the same object before and is not written yet is forgotten.
    pub fn apply(&self, patch: StatusPatch) {
        self.queue.push(patch);
    }

    /// Forgets what is not written yet: somebody else is the one to write now.
    pub fn clear(&self) {
        self.queue.clear();
    }

    /// How many are not written yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Writes what is asked for, without an end. An object that was changed meanwhile is read again; what it is to be told
    /// about an older generation is dropped, for its change comes back as an event.
    pub async fn run(self) {
        let mut write = Write::new(&self.cluster);
        loop {
            let patch = tokio::select! {
                patch = self.queue.pop() => patch,
                kind = write.next_try() => {
                    self.queue.unpark(kind);
                    continue;
                }
            };
            if write.is_refused(patch.key.kind) {
                self.queue.park(patch);
                continue;
            }
            let pause = match write.write(&patch).await {
                Ok(outcome) => {
                    if outcome == Outcome::Refused {
                        self.queue.park(patch);
                    }
                    PAUSE
                }
                // Also a conflict: whoever was faster changed something else, or the index asks anew.
                Err(error) => {
                    tracing::debug!(key = %patch.key, "the status is not written yet: {error}");
                    self.queue.put_back(patch);
                    write.backoff()
                }
            };
            sleep(pause).await;
        }
    }
}

/// Between two writes: a mesh of thousands of policies is told within a minute, and the API server does not feel it.
const PAUSE: Duration = Duration::from_millis(10);
