//! The mesh from a control plane: delta discovery over one gRPC stream.
//!
//! [`Client`] is the protocol without the wire: it survives every stream and is what makes a reconnect cheap. The rest of
//! this file is the coat around it: connect, send what it says, give it what comes in, publish what it knows, wait, again.
//!
//! ```text
//!   ControlChannel --responses--> Client --directory--> Store, Update
//!                 <---answers----/
//! ```
//! Nothing is published before a whole batch of every type came in: with half a mesh, a captured address would look like a
//! stranger's and a policy like none.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::watch::Sender;
use tokio::time::Instant;
use weir_proto::discovery::DeltaDiscoveryResponse;

use crate::channel::ControlChannel;
use crate::{Store, Update};

mod apply;
mod backoff;
mod client;
mod local;
mod metrics;
mod netns;
mod node;
mod status;
mod stream;
mod subscription;
mod version;

use backoff::Backoff;
pub use client::{Client, Outcome};
pub use local::LocalPods;
pub use metrics::Metrics;
pub use netns::{NetnsPattern, PatternError};
pub use node::NodeInfo;
pub use status::{Report, Status};

/// What [`run`] needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who we are.
    pub node: NodeInfo,
    /// How we know which workloads are ours.
    pub local: LocalPods,
}

/// Keeps `store` at what the control plane says and tells `updates` about the workloads of this node, until it is
/// dropped. What was learned stays in force while there is no control plane.
pub async fn run(
    config: Config,
    channel: ControlChannel,
    store: Store,
    updates: Sender<Update>,
    status: Arc<Status>,
) -> Infallible {
    let client = Client::new(config.node.message());
    let mut follower = Follower { config, channel, store, updates, status, client, published: false };
    let mut backoff = Backoff::new();
    let mut said = String::new();
    loop {
        let begun = Instant::now();
        let ended = follower.stream().await;
        follower.store.metrics().xds.terminated(ended.reason);
        if ended.healthy && begun.elapsed() >= backoff::USEFUL {
            backoff.reset();
        }
        let wait = backoff.next(rand::random());
        let address = follower.channel.address();
        let problem = ended.problem.unwrap_or_else(|| "the control plane ended the stream".into());
        // An absence of an hour is one line, not two hundred.
        if problem == said {
            tracing::debug!(%address, ?wait, "discovery: {problem}");
        } else {
            tracing::warn!(%address, ?wait, "discovery: {problem}; what is known stays in force");
            said.clone_from(&problem);
        }
        follower.status.lost(problem);
        follower.store.metrics().xds.connected.set(0);
        tokio::time::sleep(wait).await;
    }
}

/// Who follows the control plane, and what for.
struct Follower {
    config: Config,
    channel: ControlChannel,
    store: Store,
    updates: Sender<Update>,
    status: Arc<Status>,
    client: Client,
    published: bool,
}

impl Follower {
    /// Applies a response, publishes what came of it, and gives the answer.
    async fn take(
        &mut self,
        response: DeltaDiscoveryResponse,
    ) -> weir_proto::discovery::DeltaDiscoveryRequest {
        let type_url = response.type_url.clone();
        let outcome = self.receive(response).await;
        let metrics = self.store.metrics();
        if outcome.refused.is_empty() {
            metrics.accept(&outcome.changes);
        } else {
            metrics.accept_partly(&outcome.changes);
            for refused in outcome.refused.iter().take(SAID) {
                tracing::error!(%type_url, "refused: {refused}");
            }
        }
        tracing::debug!(%type_url, changes = ?outcome.changes, refused = outcome.refused.len(), "response");
        self.status.learned(&self.client);
        if self.client.is_complete() && (!outcome.changes.is_empty() || !self.published) {
            self.publish();
        }
        outcome.answer
    }

    /// A large response takes a while: not on the thread that also renews certificates.
    async fn receive(&mut self, response: DeltaDiscoveryResponse) -> Outcome {
        if response.resources.len() + response.removed_resources.len() <= SMALL {
            return self.client.receive(response);
        }
        let fresh = Client::new(self.config.node.message());
        let mut client = std::mem::replace(&mut self.client, fresh);
        let worked = tokio::task::spawn_blocking(move || {
            let outcome = client.receive(response);
            (client, outcome)
        });
        match worked.await {
            Ok((client, outcome)) => {
                self.client = client;
                outcome
            }
            // What was published stays; without a nonce the answer ends the stream, and the next begins from nothing.
            Err(panic) => {
                tracing::error!("a response could not be applied: {panic}");
                Outcome::default()
            }
        }
    }

    fn publish(&mut self) {
        let directory = Arc::new(self.client.directory().clone());
        let update = self.config.local.update(directory.clone());
        self.store.publish(directory);
        let first = !std::mem::replace(&mut self.published, true);
        self.updates.send_if_modified(|current| {
            // Who follows the pods of this node is not woken for the pods of others.
            let news = first || current.local != update.local || current.refused != update.refused;
            *current = update;
            news
        });
    }
}

/// Responses up to this many names take less than a millisecond.
const SMALL: usize = 64;
/// Refusals of one response that are logged one by one; the answer and the config dump have more.
const SAID: usize = 20;

#[cfg(test)]
mod tests;
