//! What objects are told.
//!
//! A status is read, changed and written back under the version that was read, as a merge patch. Server-side apply would
//! be shorter, and wrong: in Istio's definitions `status.conditions` is a list without a key, so whoever applies a condition
//! owns the whole list, and the conditions of others would go.

mod merge;
mod queue;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::sleep;
use weir_resources::{Condition, Key, Kind};

use super::backoff::{Backoff, spread};
use super::discover::{Served, find};
use super::error::call;
use super::{ApiError, Cluster, FIELD_MANAGER};
use queue::Queue;

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

    /// Writes what is asked for, without an end. An object that was changed meanwhile is left: its change comes back as an
    /// event, and the index asks again.
    pub async fn run(self) {
        let mut served = HashMap::new();
        let mut refused: BTreeMap<Kind, u16> = BTreeMap::new();
        let mut backoff = Backoff::default();
        loop {
            let patch = self.queue.pop().await;
            let kind = patch.key.kind;
            let key = patch.key.clone();
            match self.write(&mut served, &patch).await {
                Ok(()) => {
                    backoff.reset();
                    refused.remove(&kind);
                    sleep(PAUSE).await;
                }
                Err(error) if error.is_conflict() => tracing::debug!(%key, "changed meanwhile: {error}"),
                Err(error) if error.is_passing() => {
                    tracing::debug!(%key, "the status is not written yet: {error}");
                    self.queue.put_back(patch);
                    sleep(backoff.next(spread())).await;
                }
                Err(error) => {
                    served.remove(&kind);
                    // Once per kind and sort of refusal: there may be thousands of the kind.
                    if refused.insert(kind, error.code().unwrap_or_default()) != error.code() {
                        tracing::warn!(%key, "a status cannot be written, and neither may others of the kind: {error}");
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn write(
        &self,
        cache: &mut HashMap<Kind, Option<Served>>,
        patch: &StatusPatch,
    ) -> Result<(), ApiError> {
        let Key { kind, namespace, name } = &patch.key;
        let client = &self.cluster.client;
        if !cache.contains_key(kind) {
            cache.insert(*kind, find(client, *kind).await?);
        }
        let Some(Some(served)) =
            cache.get(kind).filter(|served| served.as_ref().is_some_and(|s| s.has_status))
        else {
            tracing::debug!(key = %patch.key, "the API does not serve the status of its kind");
            return Ok(());
        };
        let api: Api<DynamicObject> = match kind.is_namespaced() {
            true => Api::namespaced_with(client.clone(), namespace, &served.resource),
            false => Api::all_with(client.clone(), &served.resource),
        };
        let what = format!("reading {}", patch.key);
        let Some(object) = call(&what, api.get_opt(name)).await? else { return Ok(()) };
        let generation = object.metadata.generation.unwrap_or_default();
        if patch.generation != 0 && generation != patch.generation {
            return Ok(());
        }
        let now = k8s_openapi::jiff::Timestamp::now();
        let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let before = object.data.get("status").cloned().unwrap_or(Value::Null);
        let Some(status) = merge::merged(&before, patch, &now) else { return Ok(()) };
        let body =
            json!({"metadata": {"resourceVersion": object.metadata.resource_version}, "status": status});
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let what = format!("writing the status of {}", patch.key);
        call(&what, api.patch_status(name, &params, &Patch::Merge(&body))).await.map(drop)
    }
}

/// Between two writes: a mesh of thousands of policies is told within a minute, and the API server does not feel it.
const PAUSE: Duration = Duration::from_millis(10);
