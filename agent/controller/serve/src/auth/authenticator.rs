//! Who is behind a request: the certificate of its connection, then its token.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::{Extensions, HeaderMap};
use serde::Deserialize;
use weir_identity::Clock;

use super::cache::Cache;
use super::refusals::Refusals;
use super::{AuthError, Caller, Peer, TokenVerifier};
use crate::turns::Turns;

/// Lets requests in that prove who sends them, and puts the [`Caller`] into their extensions. A tower layer.
#[derive(Clone)]
pub struct Authenticator {
    shared: Arc<Shared>,
}

struct Shared {
    verifier: Arc<dyn TokenVerifier>,
    trust_domain: Arc<str>,
    clock: Arc<dyn Clock>,
    cache: Cache,
    /// Questions to the verifier at once: strangers must not be able to make us flood the API server.
    questions: Turns,
    refusals: Refusals,
}

impl Authenticator {
    /// Believes certificates of `trust_domain`, and the tokens that `verifier` does.
    pub fn new(verifier: Arc<dyn TokenVerifier>, trust_domain: &str, clock: Arc<dyn Clock>) -> Self {
        let (cache, questions) = (Cache::new(CACHED), Turns::new(QUESTIONS));
        Self {
            shared: Arc::new(Shared {
                verifier,
                trust_domain: trust_domain.into(),
                clock,
                cache,
                questions,
                refusals: Refusals::default(),
            }),
        }
    }

    /// What was said of those who were not let in.
    pub(super) fn refusals(&self) -> &Refusals {
        &self.shared.refusals
    }

    /// Who sends a request.
    ///
    /// A certificate is enough. A good token beside it, if it is of the same account, adds what only tokens say: pod and
    /// node.
    ///
    /// # Errors
    /// Nobody that we know.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Caller, AuthError> {
        let by_certificate = self.certificate(extensions);
        let from = extensions.get::<Peer>().map(|peer| peer.address.ip());
        match (by_certificate, bearer(headers)) {
            (None, token) => self.token(token?, from).await,
            (Some(caller), Err(_)) => Ok(caller),
            (Some(caller), Ok(token)) => match self.token(token, from).await {
                Ok(more) if is_same(&more, &caller) => Ok(more),
                Ok(_) | Err(_) => Ok(caller),
            },
        }
    }

    fn certificate(&self, extensions: &Extensions) -> Option<Caller> {
        let identity = extensions.get::<Peer>()?.identity.as_ref()?;
        let is_ours = identity.trust_domain() == &*self.shared.trust_domain;
        is_ours.then(|| Caller::new(identity.namespace(), identity.service_account()))
    }

    async fn token(&self, token: &str, from: Option<IpAddr>) -> Result<Caller, AuthError> {
        let Shared { verifier, clock, cache, questions, .. } = &*self.shared;
        let now = clock.now();
        if let Some(caller) = cache.get(token, now) {
            return Ok(caller);
        }
        let expires = expiry(token)?;
        if now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() > expires + EXPIRED_FOR_SURE {
            return Err(AuthError::Refused("the token expired".to_owned()));
        }
        let ask = async {
            let _turn = questions.turn(from).await;
            verifier.verify(token).await
        };
        let late = || AuthError::Unavailable(format!("no answer within {PATIENCE:?}"));
        let caller = tokio::time::timeout(PATIENCE, ask).await.map_err(|_| late())??;
        cache.put(token, expires, caller.clone(), now);
        Ok(caller)
    }
}

fn is_same(one: &Caller, other: &Caller) -> bool {
    (&one.namespace, &one.service_account) == (&other.namespace, &other.service_account)
}

/// The token of a request: of two, nobody could say which is meant.
fn bearer(headers: &HeaderMap) -> Result<&str, AuthError> {
    let refused = |reason: &str| AuthError::Refused(reason.to_owned());
    let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(|| refused("there is neither a certificate nor a token"))?;
    if values.next().is_some() {
        return Err(refused("there are several authorization headers"));
    }
    let text = value.to_str().map_err(|_| refused("the authorization header is not text"))?;
    let token = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (_, token) = token.ok_or_else(|| refused("the authorization header is no bearer token"))?;
    let token = token.trim();
    match token.len() {
        1..=MAX_TOKEN => Ok(token),
        length => Err(AuthError::Refused(format!("a token of {length} bytes"))),
    }
}

/// When a token says that it ends. Read before it is verified, so that garbage costs nobody a question, and used after.
fn expiry(token: &str) -> Result<f64, AuthError> {
    #[derive(Deserialize)]
    struct Expiry {
        exp: f64,
    }
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Expiry>(token);
    let claims = claims.map_err(|error| AuthError::Refused(format!("that is no bound token: {error}")))?;
    Ok(claims.exp)
}

/// Longest token; those of Kubernetes have some 1,200 bytes.
const MAX_TOKEN: usize = 16 * 1024;
/// Tokens in the cache: at most some 10 MB.
const CACHED: usize = 8192;
/// Questions at once; one address has a quarter of them.
const QUESTIONS: usize = 64;
/// For one answer of the verifier, with the time in the queue.
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds after which no verifier's clock can disagree.
const EXPIRED_FOR_SURE: f64 = 300.0;
