//! The CA of a cluster: its material in a Secret, which all replicas read and one at a time replaces.

use std::collections::BTreeMap;

use weir_identity::ca::{Files, MaterialStore, StoreError, StoreFuture, Stored};
use weir_sources::{SecretError, SecretStore};

/// A Secret as the store of a CA.
pub(super) struct CaSecret {
    pub(super) secret: SecretStore,
    pub(super) name: String,
}

impl MaterialStore for CaSecret {
    fn place(&self) -> String {
        format!("Secret {}", self.name)
    }

    fn load(&self) -> StoreFuture<'_, Option<Stored>> {
        Box::pin(async move {
            let stored = self.secret.load().await.map_err(|error| self.failed(error))?;
            stored.map(|stored| self.texts(stored)).transpose()
        })
    }

    fn create(&self, files: Files) -> StoreFuture<'_, bool> {
        Box::pin(async move { self.written(self.secret.create(bytes(files)).await) })
    }

    fn replace(&self, files: Files, version: String) -> StoreFuture<'_, bool> {
        Box::pin(async move { self.written(self.secret.replace(&version, bytes(files)).await) })
    }
}

impl CaSecret {
    fn texts(&self, stored: weir_sources::Stored) -> Result<Stored, StoreError> {
        let text = |(name, bytes)| String::from_utf8(bytes).map(|text| (name, text));
        let files = stored.data.into_iter().map(text).collect::<Result<Files, _>>();
        Ok(Stored { files: files.map_err(|error| self.failed(error))?, version: stored.version })
    }

    /// A lost race is an answer, not an error.
    fn written(&self, result: Result<weir_sources::Stored, SecretError>) -> Result<bool, StoreError> {
        match result {
            Ok(_) => Ok(true),
            Err(SecretError::Conflict { .. }) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
        StoreError { place: self.place(), source: error.into() }
    }
}

fn bytes(files: Files) -> BTreeMap<String, Vec<u8>> {
    files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}
