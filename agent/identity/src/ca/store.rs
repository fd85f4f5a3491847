//! Where a CA is kept: texts by name, shared by the replicas of a control plane.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;

/// Texts by file name (or by key of a Secret).
pub type Files = BTreeMap<String, String>;

/// Keeps one set of [`Files`]: a directory, or a Secret in Kubernetes.
pub trait MaterialStore: Send + Sync {
    /// What errors call it, such as a path or `Secret weir-system/weir-ca`.
    fn place(&self) -> String;

    /// What is kept; `None` if there is nothing yet.
    fn load(&self) -> StoreFuture<'_, Option<Stored>>;

    /// Keeps `files` if there is nothing yet. Of any number of callers at once exactly one gets `true`.
    fn create(&self, files: Files) -> StoreFuture<'_, bool>;

    /// Puts `files` in the place of what has this version, all of them or none. `false`: it has another one by now.
    fn replace(&self, files: Files, version: String) -> StoreFuture<'_, bool>;
}

/// The answer to come.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What a store keeps.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// The texts.
    pub files: Files,
    /// Another one for other texts (a resourceVersion, or a hash).
    pub version: String,
}

/// A store that does not work.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {source}")]
pub struct StoreError {
    /// Which.
    pub place: String,
    /// What is wrong.
    pub source: Box<dyn Error + Send + Sync>,
}
