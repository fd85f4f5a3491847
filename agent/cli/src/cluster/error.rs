//! What can go wrong with a cluster.

use std::path::PathBuf;
use std::time::Duration;

/// A cluster that cannot be met, or that said no.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig {} cannot be used: {source}", path.display())]
    Kubeconfig {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: Box<kube::config::KubeconfigError>,
    },
    /// There is none.
    #[error("no cluster is known; give --kubeconfig, or set KUBECONFIG: {0}")]
    None(#[source] Box<kube::config::InferConfigError>),
    /// The client cannot be made.
    #[error("a client of the Kubernetes API cannot be made: {0}")]
    Client(#[source] Box<kube::Error>),
    /// A kind is not there.
    #[error("the cluster does not serve {kind} of {api_version}; its definition is not installed")]
    NotServed {
        /// Group and version.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// The API server said no.
    #[error("{call}: the API server refuses it ({code} {reason}): {message}")]
    Refused {
        /// What was asked for.
        call: String,
        /// HTTP status.
        code: u16,
        /// The API's word for it.
        reason: String,
        /// The API's sentence.
        message: String,
    },
    /// It did not answer in time.
    #[error("{call}: the API server did not answer within {limit:?}")]
    Late {
        /// What was asked for.
        call: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The connection or the answer was bad.
    #[error("{call}: no good answer from the API server: {source}")]
    Failed {
        /// What was asked for.
        call: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// What it serves does not have the kind.
    #[error("what the cluster serves: {0}")]
    Discovery(#[source] Box<kube::Error>),
    /// An answer is not what it should be.
    #[error("an answer of the API server cannot be read: {0}")]
    Json(#[source] serde_json::Error),
    /// A page of a pod could not be fetched.
    #[error("{pod}, port {port}, {path}: {why}")]
    Page {
        /// Which pod, or address.
        pod: String,
        /// Its port.
        port: u16,
        /// Path of the page.
        path: String,
        /// What went wrong.
        why: String,
    },
}

/// Waits for a call, not for ever.
pub(super) async fn call<T>(
    what: &str,
    answer: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ClusterError> {
    let answer = tokio::time::timeout(LIMIT, answer).await;
    let answer = answer.map_err(|_| ClusterError::Late { call: what.to_owned(), limit: LIMIT })?;
    answer.map_err(|error| match error {
        kube::Error::Api(status) => ClusterError::Refused {
            call: what.to_owned(),
            code: status.code,
            reason: status.reason.clone(),
            message: status.message.clone(),
        },
        error @ kube::Error::Discovery(_) => ClusterError::Discovery(Box::new(error)),
        error => ClusterError::Failed { call: what.to_owned(), source: Box::new(error) },
    })
}

const LIMIT: Duration = Duration::from_secs(30);
