//! The client, and what all who use it share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::time::sleep;

use super::backoff::{Backoff, spread};
use super::error::call;
use super::{ConnectError, Health};

/// A cluster that we have an address and credentials of. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    pub(super) root_namespace: Arc<str>,
    pub(super) health: Health,
    /// How often is looked for kinds that are not served yet.
    pub(super) discover_every: Duration,
}

impl Cluster {
    /// Finds the cluster: in the kubeconfig, if one is named; else that of the pod that this runs in; else that of
    /// `$KUBECONFIG` or `~/.kube/config`. Nothing is sent yet: an API server that is down is waited for by who uses this.
    ///
    /// # Errors
    /// No usable configuration.
    pub async fn connect(kubeconfig: Option<PathBuf>, context: Option<String>) -> Result<Self, ConnectError> {
        let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
        let mut config = match kubeconfig {
            Some(path) => {
                let wrong =
                    |source| ConnectError::Kubeconfig { path: path.clone(), source: Box::new(source) };
                let file = Kubeconfig::read_from(&path).map_err(wrong)?;
                Config::from_custom_kubeconfig(file, &options).await.map_err(wrong)?
            }
            None if options.context.is_some() => {
                let path = PathBuf::from("$KUBECONFIG");
                let wrong = |source| ConnectError::Kubeconfig { path, source: Box::new(source) };
                Config::from_kubeconfig(&options).await.map_err(wrong)?
            }
            // A pod's own account wins: a kubeconfig in an image is a leftover.
            None => match Config::incluster() {
                Ok(config) => config,
                Err(_) => Config::infer().await.map_err(|error| ConnectError::Infer(Box::new(error)))?,
            },
        };
        config.connect_timeout = Some(Duration::from_secs(5));
        config.write_timeout = Some(Duration::from_secs(10));
        // A peer that is gone without a word is noticed by the reading side only.
        config.read_timeout = Some(SILENCE);
        config.reset_reader_on_write = true;
        // Every caller here tries again by itself, and knows better when.
        config.default_retry = false;
        let plugin = config.auth_info.exec.as_ref().and_then(|exec| exec.command.clone());
        let client = Client::try_from(config).map_err(|error| match plugin {
            Some(command) => ConnectError::Plugin { command, source: Box::new(error) },
            None => ConnectError::Client(Box::new(error)),
        })?;
        Ok(Self {
            client,
            root_namespace: "weir-system".into(),
            health: Health::default(),
            discover_every: Duration::from_secs(10),
        })
    }

    /// The namespace whose ConfigMaps are read.
    #[must_use]
    pub fn root_namespace(mut self, namespace: &str) -> Self {
        self.root_namespace = namespace.into();
        self
    }

    /// How often is looked for kinds that the API does not serve, 10 s if not set.
    #[must_use]
    pub fn discover_every(mut self, pause: Duration) -> Self {
        self.discover_every = pause;
        self
    }

    /// Waits until the API server answers, be it with a refusal: who starts while it is away has nothing to do before.
    pub async fn answers(&self) {
        let mut backoff = Backoff::default();
        loop {
            match call("asking for the API's version", self.client.apiserver_version()).await {
                Err(error) if error.is_passing() => {
                    tracing::warn!("waiting for the API server: {error}");
                    sleep(backoff.next(spread())).await;
                }
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// How each kind fares.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }
}

/// A watch ends after this; asking again is cheap, and finds a dead peer.
pub(super) const WATCH_SECONDS: u32 = 60;
/// Longer than a watch may be silent.
const SILENCE: Duration = Duration::from_secs(75);
