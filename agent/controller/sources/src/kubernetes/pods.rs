//! What pods are told: whether their traffic is captured, as an annotation that others go by and a condition for people.
//!
//! Both are written by one patch of `pods/status`: the API takes annotations there, and nothing of the spec, so the right to
//! do this is the right to do no more. The patch names the version that was read: what the kubelet wrote meanwhile stays.

mod queue;
mod taint;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};
use tokio::time::sleep;
use weir_resources::Condition;

use super::backoff::{Backoff, spread};
use super::error::call;
use super::status::put_conditions;
use super::{ApiError, Cluster, FIELD_MANAGER};
use queue::Queue;
pub use taint::Untaint;

/// What a pod is to say of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct PodPatch {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: one of the same name that came after it is another, and left alone.
    pub uid: String,
    /// Annotations to be there, or (`None`) not.
    pub annotations: Vec<(&'static str, Option<&'static str>)>,
    /// Conditions to be there.
    pub conditions: Vec<Condition>,
    /// Types of conditions not to be there.
    pub remove: Vec<&'static str>,
}

/// Writes what pods are told, a few at a time. Clones are one.
#[derive(Clone)]
pub struct PodWriter {
    cluster: Cluster,
    queue: Arc<Queue>,
}

impl PodWriter {
    /// A writer with nothing to do. [`PodWriter::run`] does it.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone(), queue: Arc::default() }
    }

    /// Asks for a patch. What was asked for the same pod before and is not written yet is forgotten.
    pub fn apply(&self, patch: PodPatch) {
        self.queue.push(patch);
    }

    /// Writes what is asked for, without an end.
    pub async fn run(self) {
        futures_util::future::join_all((0..AT_ONCE).map(|_| self.work())).await;
    }

    async fn work(&self) {
        let mut backoff = Backoff::default();
        loop {
            let patch = self.queue.pop().await;
            match self.write(&patch).await {
                Ok(()) => backoff.reset(),
                Err(error) if error.is_conflict() || error.is_passing() => {
                    tracing::debug!(pod = %patch.name, "a pod is not told yet: {error}");
                    self.queue.put_back(patch);
                    sleep(backoff.next(spread())).await;
                }
                // A right that is missing: said, and tried again, for nothing works without it.
                Err(error) if matches!(error.code(), Some(401 | 403)) => {
                    if self.queue.is_news(&error.to_string()) {
                        tracing::warn!("pods cannot be told whether they are captured: {error}");
                    }
                    self.queue.put_back(patch);
                    sleep(REFUSED).await;
                }
                Err(error) if error.code() == Some(404) => {}
                Err(error) => tracing::warn!(pod = %patch.name, "a pod cannot be told: {error}"),
            }
        }
    }

    async fn write(&self, patch: &PodPatch) -> Result<(), ApiError> {
        let PodPatch { namespace, name, uid, .. } = patch;
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), namespace);
        let what = format!("reading the pod {namespace}/{name}");
        let Some(pod) = call(&what, pods.get_opt(name)).await? else { return Ok(()) };
        if pod.metadata.uid.as_deref() != Some(uid) {
            return Ok(());
        }
        let status = serde_json::to_value(&pod.status).unwrap_or_default();
        let now = k8s_openapi::jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let is = pod.metadata.annotations.unwrap_or_default();
        let differs = |(key, wanted): &&(&str, Option<&str>)| is.get(*key).map(String::as_str) != *wanted;
        let annotations: Map<String, Value> = patch
            .annotations
            .iter()
            .filter(differs)
            .map(|(key, wanted)| ((*key).to_owned(), json!(wanted)))
            .collect();
        let conditions = put_conditions(&status, &patch.conditions, &patch.remove, &now);
        if annotations.is_empty() && conditions.is_none() {
            return Ok(());
        }
        let mut body = json!({"metadata": {"resourceVersion": pod.metadata.resource_version, "annotations": annotations}});
        if let Some(conditions) = conditions {
            body["status"] = json!({"conditions": conditions});
        }
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let what = format!("telling the pod {namespace}/{name}");
        call(&what, pods.patch_status(name, &params, &Patch::Merge(&body))).await.map(drop)
    }
}

/// Calls under way: a namespace of a thousand pods is told within seconds, and the API server does not feel it.
const AT_ONCE: usize = 8;
const REFUSED: Duration = Duration::from_secs(10);
