//! A Secret as a store that several replicas share: exactly one makes it, and nobody overwrites what he has not read.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::watcher::watch_object;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::backoff::{Backoff, spread};
use super::error::call;
use super::{ApiError, Cluster, FIELD_MANAGER};

/// One Secret.
#[derive(Clone)]
pub struct SecretStore {
    secrets: Api<Secret>,
    namespace: String,
    name: String,
}

/// What is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// Bytes by key.
    pub data: BTreeMap<String, Vec<u8>>,
    /// Which version of it this is.
    pub version: String,
}

impl std::fmt::Debug for Stored {
    /// Keys only: the values are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stored {{ version: {}, keys: {:?} }}", self.version, self.data.keys())
    }
}

/// Why a secret was not written.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Another replica was faster: read what it wrote.
    #[error("Secret {namespace}/{name} was written by somebody else; it has to be read again")]
    Conflict {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The API did not do it.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl SecretStore {
    /// The Secret of this name.
    #[must_use]
    pub fn new(cluster: &Cluster, namespace: &str, name: &str) -> Self {
        let secrets = Api::namespaced(cluster.client.clone(), namespace);
        Self { secrets, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// What is in it; `None` if it is not there.
    ///
    /// # Errors
    /// The API did not answer, or we may not read it.
    pub async fn load(&self) -> Result<Option<Stored>, ApiError> {
        let found = call(&self.what("reading"), self.secrets.get_opt(&self.name)).await?;
        Ok(found.map(stored))
    }

    /// Makes it. Of several that try at the same time, exactly one succeeds.
    ///
    /// # Errors
    /// [`SecretError::Conflict`] if it is there.
    pub async fn create(&self, data: BTreeMap<String, Vec<u8>>) -> Result<Stored, SecretError> {
        let secret = self.secret(data, None);
        let made = call(&self.what("making"), self.secrets.create(&params(), &secret)).await;
        made.map(stored).map_err(|error| self.wrong(error))
    }

    /// Replaces what was read as `version`.
    ///
    /// # Errors
    /// [`SecretError::Conflict`] if it is another version by now, or gone.
    pub async fn replace(
        &self,
        version: &str,
        data: BTreeMap<String, Vec<u8>>,
    ) -> Result<Stored, SecretError> {
        let secret = self.secret(data, Some(version.to_owned()));
        let written = call(&self.what("writing"), self.secrets.replace(&self.name, &params(), &secret)).await;
        match written {
            Err(error) if error.code() == Some(404) => Err(self.conflict()),
            written => written.map(stored).map_err(|error| self.wrong(error)),
        }
    }

    /// Sends what is in it now, and then whenever it changes (`None`: it is gone), until the receiver is gone.
    pub async fn watch(self, changes: mpsc::Sender<Option<Stored>>) {
        let mut backoff = Backoff::default();
        let mut stream = std::pin::pin!(watch_object(self.secrets.clone(), &self.name));
        loop {
            let next = tokio::select! {
                next = stream.next() => next,
                () = changes.closed() => return,
            };
            match next {
                Some(Ok(secret)) => {
                    backoff.reset();
                    if changes.send(secret.map(stored)).await.is_err() {
                        return;
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!("{}: {error}", self.what("watching"));
                    sleep(backoff.next(spread())).await;
                    if expired(&error) {
                        stream.set(watch_object(self.secrets.clone(), &self.name));
                    }
                }
                None => return,
            }
        }
    }

    fn secret(&self, data: BTreeMap<String, Vec<u8>>, version: Option<String>) -> Secret {
        Secret {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                resource_version: version,
                ..ObjectMeta::default()
            },
            data: Some(data.into_iter().map(|(name, bytes)| (name, ByteString(bytes))).collect()),
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        }
    }

    fn what(&self, doing: &str) -> String {
        format!("{doing} Secret {}/{}", self.namespace, self.name)
    }

    fn conflict(&self) -> SecretError {
        SecretError::Conflict { namespace: self.namespace.clone(), name: self.name.clone() }
    }

    fn wrong(&self, error: ApiError) -> SecretError {
        if error.is_conflict() { self.conflict() } else { error.into() }
    }
}

/// Whether a watch of ours can only go on with a list; the library does not see it when the answer is no stream.
pub(super) fn expired(error: &kube::runtime::watcher::Error) -> bool {
    matches!(
        error,
        kube::runtime::watcher::Error::WatchStartFailed(kube::Error::Api(status))
            if status.code == 410 || status.message.contains("Too large resource version")
    )
}

fn stored(secret: Secret) -> Stored {
    Stored {
        data: secret.data.unwrap_or_default().into_iter().map(|(name, bytes)| (name, bytes.0)).collect(),
        version: secret.metadata.resource_version.unwrap_or_default(),
    }
}

fn params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}
