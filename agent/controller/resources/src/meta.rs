//! What every object has.

use std::sync::Arc;

use crate::intern;

/// `metadata`, and the conditions of `status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meta {
    /// Namespace; empty for a kind without.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// `metadata.uid`; empty in a file that does not say.
    pub uid: Arc<str>,
    /// `metadata.generation`; 0 where it is not kept.
    pub generation: i64,
    /// `metadata.creationTimestamp`, seconds since 1970; `None` in a file that does not say (younger than all that do).
    pub created: Option<i64>,
    /// It is being deleted (`metadata.deletionTimestamp`).
    pub deleting: bool,
    /// Labels.
    pub labels: Labels,
    /// Annotations; only those whose names the mesh knows are kept.
    pub annotations: Labels,
    /// `status.conditions` as they are now; only of kinds whose status the controller writes.
    pub conditions: Vec<Condition>,
}

/// Names and values, in the order of the names. Shared: the pods of a workload have the same ones, and there are as
/// many of these as pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// As they were read: in the order of the names, each name once.
    pub(crate) fn interned(sorted: &[(Arc<str>, Arc<str>)]) -> Self {
        Self(intern::labels(sorted))
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(n, _)| (**n).cmp(name)).ok()?;
        Some(&self.0[at].1)
    }

    /// Whether all of `wanted` are here: Kubernetes' equality selector. Nothing wanted: true.
    pub fn contains_all(&self, wanted: &Self) -> bool {
        wanted.iter().all(|(name, value)| self.get(name) == Some(value))
    }

    /// Names and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<Arc<str>>, V: Into<Arc<str>>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value.into()));
        let sorted: std::collections::BTreeMap<Arc<str>, Arc<str>> = pairs.collect();
        Self(sorted.into_iter().collect())
    }
}

/// One of `status.conditions`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about, for example `Accepted`.
    #[serde(rename = "type")]
    pub kind: String,
    /// True, False or Unknown.
    pub status: String,
    /// One word for machines.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
    /// `metadata.generation` of what it says this about; 0 if it does not say.
    pub observed_generation: i64,
}
