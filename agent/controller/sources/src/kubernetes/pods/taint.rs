//! The taint that keeps pods away from a node until its agent serves.

use k8s_openapi::api::core::v1::{Node, Taint};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::super::backoff::{Backoff, spread};
use super::super::error::call;
use super::super::{ApiError, Cluster, FIELD_MANAGER};

/// Takes a taint from nodes.
pub struct Untaint {
    cluster: Cluster,
    key: &'static str,
    nodes: mpsc::UnboundedReceiver<String>,
}

impl Untaint {
    /// Takes the taint `key` from each node that comes through the channel.
    #[must_use]
    pub fn new(cluster: &Cluster, key: &'static str) -> (mpsc::UnboundedSender<String>, Self) {
        let (sender, nodes) = mpsc::unbounded_channel();
        (sender, Self { cluster: cluster.clone(), key, nodes })
    }

    /// Does so until the channel ends.
    pub async fn run(mut self) {
        while let Some(node) = self.nodes.recv().await {
            let mut backoff = Backoff::default();
            while let Err(error) = self.untaint(&node).await {
                tracing::warn!(%node, "the taint {} is not taken away yet: {error}", self.key);
                // The agent says it again with its next stream; others wait behind this one.
                if backoff.failures() >= TRIES {
                    break;
                }
                sleep(backoff.next(spread())).await;
            }
        }
    }

    async fn untaint(&self, name: &str) -> Result<(), ApiError> {
        let nodes: Api<Node> = Api::all(self.cluster.client.clone());
        let Some(node) = call(&format!("reading the node {name}"), nodes.get_opt(name)).await? else {
            return Ok(());
        };
        let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
        let (ours, others): (Vec<Taint>, Vec<Taint>) =
            taints.into_iter().partition(|taint| taint.key == self.key);
        if ours.is_empty() {
            return Ok(());
        }
        // Under the version that was read: a taint that came meanwhile stays.
        let body = json!({
            "metadata": {"resourceVersion": node.metadata.resource_version}, "spec": {"taints": others},
        });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let what = format!("taking the taint {} from the node {name}", self.key);
        call(&what, nodes.patch(name, &params, &Patch::Merge(&body))).await?;
        tracing::info!(node = name, "the taint {} is taken away: its agent serves", self.key);
        Ok(())
    }
}

const TRIES: u32 = 6;
