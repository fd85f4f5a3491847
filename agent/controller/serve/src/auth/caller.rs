//! Somebody who proved who he is.

use std::fmt;
use std::sync::Arc;

/// The service account behind a request, as its certificate or token says. Is found in the extensions of every request
/// that the authentication layer let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub service_account: Arc<str>,
    /// The pod that the proof is bound to, if it is bound to one.
    pub pod: Option<PodRef>,
    /// The node that the proof names. A token that is bound to a pod may name one too; where the pod is counts more.
    pub node: Option<Arc<str>>,
}

/// A pod of the caller's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRef {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.uid`: of pods with the same name there is one at a time, and this tells them apart.
    pub uid: Arc<str>,
}

impl Caller {
    /// A service account without more.
    pub fn new(namespace: impl Into<Arc<str>>, service_account: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), service_account: service_account.into(), pod: None, node: None }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.service_account)?;
        if let Some(pod) = &self.pod {
            write!(f, " (pod {})", pod.name)?;
        }
        match &self.node {
            Some(node) => write!(f, " (node {node})"),
            None => Ok(()),
        }
    }
}
