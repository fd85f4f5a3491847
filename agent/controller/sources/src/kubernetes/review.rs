//! Who a token belongs to, by the API server's word.

use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use kube::Api;
use kube::api::PostParams;

use super::Cluster;
use super::error::call;

/// Asks the API server about tokens.
#[derive(Clone)]
pub struct Reviewer {
    reviews: Api<TokenReview>,
}

/// The service account that a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    /// Namespace of the service account.
    pub namespace: String,
    /// Name of the service account.
    pub service_account: String,
    /// The pod that the token is bound to.
    pub pod: Option<ReviewedPod>,
    /// The node that it is bound to, or its pod is.
    pub node: Option<String>,
}

/// The pod that a token is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewedPod {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Why nobody is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// The token is not good, and will not be.
    #[error("the token is refused: {0}")]
    Refused(String),
    /// Nobody could be asked.
    #[error("the token cannot be reviewed now: {0}")]
    Unavailable(String),
    /// The API server answers, and does not review tokens for us, or not now.
    #[error("the API server reviews no token for us: {0}")]
    Unwilling(String),
}

impl Reviewer {
    /// Asks this cluster.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        Self { reviews: Api::all(cluster.client.clone()) }
    }

    /// Whose token this is. It must be for one of `audiences`.
    ///
    /// # Errors
    /// See [`ReviewError`].
    pub async fn review(&self, token: &str, audiences: &[String]) -> Result<Reviewed, ReviewError> {
        let review = TokenReview {
            spec: TokenReviewSpec { token: Some(token.to_owned()), audiences: Some(audiences.to_vec()) },
            ..TokenReview::default()
        };
        let answer = call("a token review", self.reviews.create(&PostParams::default(), &review)).await;
        let answer = answer.map_err(|error| match error.code() {
            None | Some(500..) => ReviewError::Unavailable(error.to_string()),
            Some(_) => ReviewError::Unwilling(error.to_string()),
        })?;
        let status = answer.status.unwrap_or_default();
        if status.authenticated != Some(true) {
            let why = status.error.unwrap_or_else(|| "it is not authenticated".to_owned());
            return Err(ReviewError::Refused(why));
        }
        // A server that does not know audiences says yes to any token, and names none.
        let named = status.audiences.unwrap_or_default();
        if !audiences.iter().any(|audience| named.contains(audience)) {
            return Err(ReviewError::Refused(format!("it is for {named:?}, not for {audiences:?}")));
        }
        owner(status.user.unwrap_or_default())
    }
}

fn owner(user: UserInfo) -> Result<Reviewed, ReviewError> {
    let name = user.username.unwrap_or_default();
    let is_account = user.groups.unwrap_or_default().iter().any(|group| group == "system:serviceaccounts");
    let parts = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    let Some((namespace, service_account)) = parts.filter(|_| is_account) else {
        return Err(ReviewError::Refused(format!("{name:?} is not a service account")));
    };
    let extra = user.extra.unwrap_or_default();
    let pod = said(&extra, "pod-name").zip(said(&extra, "pod-uid"));
    Ok(Reviewed {
        namespace: namespace.to_owned(),
        service_account: service_account.to_owned(),
        pod: pod.map(|(name, uid)| ReviewedPod { name, uid }),
        node: said(&extra, "node-name"),
    })
}

/// The one value of a claim; several would be nobody's.
fn said(extra: &BTreeMap<String, Vec<String>>, claim: &str) -> Option<String> {
    match extra.get(&format!("authentication.kubernetes.io/{claim}"))?.as_slice() {
        [value] if !value.is_empty() => Some(value.clone()),
        _ => None,
    }
}
