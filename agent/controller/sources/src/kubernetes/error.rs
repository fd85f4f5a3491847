//! What can go wrong with an API server.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

/// The cluster's address or our credentials are not known. Trying again does not help.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig {} cannot be used: {source}", path.display())]
    Kubeconfig {
        /// Where it was looked for.
        path: PathBuf,
        /// Why.
        source: Box<kube::config::KubeconfigError>,
    },
    /// There is none, and this is no pod.
    #[error("no cluster is known: neither a pod's service account nor a kubeconfig could be used: {0}")]
    Infer(#[source] Box<kube::config::InferConfigError>),
    /// The program that the kubeconfig names for credentials gives none.
    #[error(
        "the kubeconfig's user has his credentials from {command:?}, which gives none (is it installed here?): {source}"
    )]
    Plugin {
        /// `users[].user.exec.command`.
        command: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// The client cannot be made.
    #[error("a client of the Kubernetes API cannot be made: {0}")]
    Client(#[source] Box<kube::Error>),
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
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
    #[error("{call}: {source}")]
    Failed {
        /// What was asked for.
        call: String,
        /// Why.
        source: Box<kube::Error>,
    },
}

impl ApiError {
    fn new(call: &str, error: kube::Error) -> Self {
        let call = call.to_owned();
        match error {
            kube::Error::Api(status) => {
                let status = *status;
                Self::Refused { call, code: status.code, reason: status.reason, message: status.message }
            }
            error => Self::Failed { call, source: Box::new(error) },
        }
    }

    /// HTTP status, if there was one.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Late { .. } | Self::Failed { .. } => None,
        }
    }

    /// Somebody else was faster.
    pub(super) fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// The same call may succeed later, without anybody changing it.
    pub(super) fn is_passing(&self) -> bool {
        self.code().is_none_or(|code| code == 429 || code >= 500)
    }
}

/// How long a call that is no watch may take.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Makes a call, with a limit and with its name in the error.
pub(super) async fn call<T>(
    what: &str,
    future: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ApiError> {
    match timeout(CALL_LIMIT, future).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(ApiError::new(what, error)),
        Err(_) => Err(ApiError::Late { call: what.to_owned(), limit: CALL_LIMIT }),
    }
}
