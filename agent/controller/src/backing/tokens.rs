//! Whose a token is, in a cluster: its API server says it. While that is away, the cluster's public keys do, as they were read
//! before; then a token counts only if its pod was known when the API server went.

mod metrics;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::time::timeout;
use weir_serve::auth::{AuthError, Caller, HeldKeys, PodRef, TokenVerifier, VerifyFuture, system_clock};
use weir_serve::ca::Placement;
use weir_sources::{ReviewError, Reviewed, Reviewer, TokenKeys};

use crate::token::AUDIENCE;
use metrics::{Judge, TokenMetrics};

/// TokenReview behind the door of the serving side.
pub(super) struct Tokens {
    reviewer: Reviewer,
    judgement: Arc<Judgement>,
}

impl Tokens {
    pub(super) fn new(reviewer: Reviewer, pods: Arc<dyn Placement>, registry: &mut Registry) -> Self {
        let keys = HeldKeys::new(AUDIENCE, system_clock());
        let judgement =
            Judgement { keys, pods, metrics: TokenMetrics::register(registry), by_keys: false.into() };
        Self { reviewer, judgement: Arc::new(judgement) }
    }

    /// Holds the keys that are published, until nobody publishes any more.
    pub(super) fn hold(
        &self,
        mut published: watch::Receiver<Option<TokenKeys>>,
    ) -> impl Future<Output = ()> + use<> {
        let judgement = self.judgement.clone();
        async move {
            while published.changed().await.is_ok() {
                judgement.hold(published.borrow_and_update().as_ref());
            }
        }
    }
}

impl TokenVerifier for Tokens {
    fn verify<'a>(&'a self, token: &'a str) -> VerifyFuture<'a> {
        Box::pin(async move {
            let audiences = [AUDIENCE.to_owned()];
            let review = timeout(PATIENCE, self.reviewer.review(token, &audiences)).await;
            let late = |_| Err(ReviewError::Unavailable(format!("no answer within {PATIENCE:?}")));
            self.judgement.of(token, review.unwrap_or_else(late))
        })
    }
}

/// What a review and the keys say together.
struct Judgement {
    keys: HeldKeys,
    pods: Arc<dyn Placement>,
    metrics: TokenMetrics,
    /// The last token that was believed was so by the keys.
    by_keys: AtomicBool,
}

impl Judgement {
    fn hold(&self, keys: Option<&TokenKeys>) {
        let Some(TokenKeys { issuer, jwks }) = keys else {
            return self.keys.forget();
        };
        match self.keys.hold(issuer, jwks.as_bytes()) {
            Ok(()) => tracing::debug!(%issuer, "the cluster's token keys are read"),
            Err(error) => {
                // Those from before are in use no longer.
                self.keys.forget();
                tracing::warn!("nobody's token is believed while the API server is away: its keys: {error}");
            }
        }
    }

    fn of(&self, token: &str, review: Result<Reviewed, ReviewError>) -> Result<Caller, AuthError> {
        let why = match review {
            Ok(reviewed) => {
                self.metrics.believed(Judge::Review);
                if self.by_keys.swap(false, Ordering::Relaxed) {
                    tracing::info!("the API server reviews tokens again");
                }
                return Ok(caller(reviewed));
            }
            Err(refused @ ReviewError::Refused(_)) => return Err(AuthError::Refused(refused.to_string())),
            // It is there, and knows better than the keys what a token is worth.
            Err(unwilling @ ReviewError::Unwilling(_)) => {
                return Err(AuthError::Unavailable(unwilling.to_string()));
            }
            Err(ReviewError::Unavailable(why)) => why,
        };
        // What is not believed is not refused: who knows for sure has not been asked.
        let caller = self.by_keys(token).map_err(|not| AuthError::Unavailable(format!("{why}; {not}")))?;
        self.metrics.believed(Judge::Keys);
        if !self.by_keys.swap(true, Ordering::Relaxed) {
            tracing::warn!("tokens are believed by the cluster's keys until the API server answers: {why}");
        }
        tracing::debug!(%caller, "believed by the cluster's keys");
        Ok(caller)
    }

    fn by_keys(&self, token: &str) -> Result<Caller, NotByKeys> {
        let caller = self.keys.verify_now(token).ok_or(NotByKeys::NoKeys)??;
        let proved = caller.pod.as_ref().filter(|pod| !pod.uid.is_empty()).ok_or(NotByKeys::NoPod)?;
        // The one thing that the API server knows and keys do not: whether the pod is still there.
        let known = self.pods.pod(&caller.namespace, &proved.name);
        match known.is_some_and(|pod| pod.uid == proved.uid && pod.service_account == caller.service_account)
        {
            true => Ok(caller),
            false => Err(NotByKeys::Unknown(Box::new(caller))),
        }
    }
}

/// Why the keys do not suffice.
#[derive(Debug, thiserror::Error)]
enum NotByKeys {
    #[error("and the cluster's keys could not be read before")]
    NoKeys,
    #[error("and by the cluster's keys {0}")]
    Key(#[from] AuthError),
    #[error("and the token is good by the cluster's keys, but bound to no pod")]
    NoPod,
    #[error("and {0}, whose token is good by the cluster's keys, is not known, or is another one by now")]
    Unknown(Box<Caller>),
}

fn caller(reviewed: Reviewed) -> Caller {
    let pod = reviewed.pod.map(|pod| PodRef { name: pod.name.into(), uid: pod.uid.into() });
    let node = reviewed.node.map(Into::into);
    Caller { pod, node, ..Caller::new(reviewed.namespace, reviewed.service_account) }
}

/// For a review. Callers wait for ten seconds, and what a silent API server leaves of them is the keys'.
const PATIENCE: Duration = Duration::from_secs(4);
