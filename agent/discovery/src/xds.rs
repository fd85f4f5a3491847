//! The mesh from a control plane: delta discovery over one gRPC stream.
//!
//! [`Client`] is the protocol without the wire: it survives every stream and is what makes a reconnect cheap. The rest of
//! this file publishes what it knows; the streams are `follow`'s.
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
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use crate::channel::ControlChannel;
use crate::follow::{Follower, Subscriber, complain};
use crate::{Store, Update};

mod apply;
mod client;
mod local;
mod netns;
mod node;
mod subscription;
mod version;

pub use crate::follow::{Metrics, Report, Status};
pub use client::{Client, Outcome};
pub use local::{Local, LocalPods};
pub use netns::{NetnsPattern, PatternError};
pub use node::{NodeInfo, Role};

/// What [`run`] needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who we are.
    pub node: NodeInfo,
    /// How we know which workloads are ours, if we capture any.
    pub local: Option<Local>,
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
    let client = client(&config);
    let metrics = store.metrics().streams();
    let subscriber = Mesh { config, store, updates, status: status.clone(), client, published: false };
    Follower { channel, status, metrics, subscriber }.run().await
}

fn client(config: &Config) -> Client {
    let client = Client::new(config.node.message());
    match config.local {
        Some(Local::Told) => client.with_node_pods(),
        Some(Local::Pattern(_)) | None => client,
    }
}

/// Who learns the mesh, and what for.
struct Mesh {
    config: Config,
    store: Store,
    updates: Sender<Update>,
    status: Arc<Status>,
    client: Client,
    published: bool,
}

impl Subscriber for Mesh {
    fn open(&mut self) -> Vec<DeltaDiscoveryRequest> {
        self.client.open()
    }

    /// Applies a response, publishes what came of it, and gives the answer.
    async fn take(&mut self, response: DeltaDiscoveryResponse) -> Vec<DeltaDiscoveryRequest> {
        let type_url = response.type_url.clone();
        let outcome = self.receive(response).await;
        let metrics = self.store.metrics();
        if outcome.refused.is_empty() {
            metrics.accept(&outcome.changes);
        } else {
            metrics.accept_partly(&outcome.changes);
            complain(&type_url, &outcome.refused);
        }
        tracing::debug!(%type_url, changes = ?outcome.changes, refused = outcome.refused.len(), "response");
        self.status.learned(self.client.is_ready(), self.client.rejected());
        if self.client.is_complete() && (!outcome.changes.is_empty() || !self.published) {
            self.publish();
        }
        vec![outcome.answer]
    }

    fn is_answered(&self) -> bool {
        self.client.is_answered()
    }
}

impl Mesh {
    /// A large response takes a while: not on the thread that also renews certificates.
    async fn receive(&mut self, response: DeltaDiscoveryResponse) -> Outcome {
        if response.resources.len() + response.removed_resources.len() <= SMALL {
            return self.client.receive(response);
        }
        let fresh = client(&self.config);
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
        let directory = Arc::new(self.client.picture());
        let update = match &self.config.local {
            Some(Local::Pattern(local)) => local.update(directory.clone()),
            Some(Local::Told) => {
                let node_pods = Some(self.client.node_pods());
                Update { directory: directory.clone(), node_pods, ..Update::default() }
            }
            None => Update { directory: directory.clone(), ..Update::default() },
        };
        self.store.publish(directory);
        let first = !std::mem::replace(&mut self.published, true);
        self.updates.send_if_modified(|current| {
            // Who follows the pods of this node is not woken for the pods of others.
            let is_same = current.local == update.local
                && current.refused == update.refused
                && current.node_pods == update.node_pods;
            let news = first || !is_same;
            *current = update;
            news
        });
    }
}

/// Responses up to this many names take less than a millisecond.
const SMALL: usize = 64;

#[cfg(test)]
pub(crate) mod tests;
