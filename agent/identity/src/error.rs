//! Why a workload has no certificate to use.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use weir_model::Identity;

use crate::clock::text;
use crate::{AnswerError, CaError, CrlError};

/// Errors of [`Certificates`](crate::Certificates).
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Nobody asked for it: the pod is not enrolled (any more).
    #[error("no certificate was asked for {identity}; is a pod with it enrolled on this node?")]
    NotFetched {
        /// Whose.
        identity: Identity,
    },
    /// The first request is under way.
    #[error("the first certificate of {identity} is still on its way")]
    Pending {
        /// Whose.
        identity: Identity,
    },
    /// There never was one.
    #[error("{identity} has no certificate, its traffic is refused: {failure}")]
    Unavailable {
        /// Whose.
        identity: Identity,
        /// The last attempt.
        failure: Failure,
    },
    /// There was one, and it could not be renewed in time.
    #[error("the certificate of {identity} expired at {}, its traffic is refused: {}", text(*not_after), last(failure.as_ref()))]
    Expired {
        /// Whose.
        identity: Identity,
        /// When it ended.
        not_after: SystemTime,
        /// The last attempt to renew it.
        failure: Option<Failure>,
    },
    /// Forgotten while somebody waited for it.
    #[error("the certificate of {identity} was dropped: its last pod left this node")]
    Forgotten {
        /// Whose.
        identity: Identity,
    },
    /// The revocation file was given and cannot be used.
    #[error(transparent)]
    Revocations(#[from] CrlError),
    /// Renewals need a runtime to run on.
    #[error("Certificates must be made inside a tokio runtime, the one that its renewals are to run on")]
    NoRuntime,
}

/// A failed attempt to get a certificate.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Attempts that failed in a row, with this one.
    pub attempts: u32,
    /// When this one failed.
    pub at: SystemTime,
    /// When the next one is made.
    pub next: SystemTime,
    /// Why.
    pub cause: Arc<FetchError>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempts, at, next, cause } = self;
        write!(f, "{cause} (attempt {attempts} at {}, next at {})", text(*at), text(*next))
    }
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The authority did not sign.
    #[error(transparent)]
    Authority(#[from] CaError),
    /// The authority did not answer.
    #[error("the CA did not answer within {after:?}; can it be reached from this node?")]
    Timeout {
        /// How long it had.
        after: Duration,
    },
    /// The authority's answer is of no use.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// No key could be made.
    #[error("no key or request could be made: {0}")]
    Key(#[from] rcgen::Error),
}

fn last(failure: Option<&Failure>) -> String {
    match failure {
        Some(failure) => failure.to_string(),
        None => "no renewal was tried yet; was this machine asleep?".to_owned(),
    }
}
