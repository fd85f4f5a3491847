//! What a controller stands on: where its objects, its CA and its callers' proofs are.

mod cluster;
mod embedded;
mod seat;
mod secret;
mod tokens;

use std::collections::BTreeSet;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use weir_identity::ca::CaAuthority;
use weir_resources::Event;
use weir_serve::Store;
use weir_serve::auth::TokenVerifier;
use weir_serve::nodes::PodTeller;
use weir_sources::{Health, SecretName};

use crate::config::{Config, Source};
use crate::mesh::{Board, Runner, Statuses};
use seat::Seat;

/// The parts that a cluster and a directory do each in its own way.
pub(crate) struct Backing {
    pub(crate) authority: CaAuthority,
    pub(crate) verifier: Arc<dyn TokenVerifier>,
    /// Tokens that name a node and no pod count.
    pub(crate) node_tokens: bool,
    pub(crate) events: mpsc::Receiver<Vec<Event>>,
    pub(crate) statuses: Statuses,
    /// Who runs waypoints; in a directory, their author does.
    pub(crate) waypoints: Option<Runner>,
    /// Who tells pods whether they are captured; in a directory, nobody.
    pub(crate) pods: Option<Arc<dyn PodTeller>>,
    /// How each kind of the cluster is read; a directory has none.
    pub(crate) sources: Option<Health>,
    /// Statuses that are shown, not written.
    pub(crate) board: Option<Arc<Board>>,
    /// Secrets to read; in a directory all are read.
    pub(crate) secrets: Option<watch::Sender<BTreeSet<SecretName>>>,
    /// Whether this replica writes.
    pub(crate) leads: watch::Receiver<bool>,
    /// Where there are others, its part in their election.
    pub(crate) seat: Option<Seat>,
}

/// Work in the background that only ends by an error.
pub(crate) type Tasks = JoinSet<anyhow::Error>;

impl Backing {
    /// Opens what the configuration names; what has to go on runs in `tasks`. `store` is where the mesh will be.
    pub(crate) async fn open(
        config: &Config,
        store: &Store,
        registry: &mut Registry,
        tasks: &mut Tasks,
    ) -> anyhow::Result<Self> {
        match &config.source {
            Source::Kubernetes(kubeconfig) => {
                cluster::open(config, kubeconfig.clone(), store, registry, tasks).await
            }
            Source::Directory { objects, state } => embedded::open(config, objects, state, tasks).await,
        }
    }
}

/// The CA's settings.
fn authority(config: &Config) -> weir_identity::ca::AuthorityConfig {
    let default = weir_identity::ca::AuthorityConfig::default();
    weir_identity::ca::AuthorityConfig {
        rotation: weir_identity::ca::RotationPolicy { overlap: config.ca.overlap, ..default.rotation },
        // A rotation that is told to hurry must not wait for a look at the clock.
        poll: default.poll.min(config.ca.overlap / 4),
        ..default
    }
}

/// Batches that may wait for the index.
const BATCHES: usize = 64;
