//! What a service account token says: Kubernetes' claims of bound tokens.

use serde::{Deserialize, Serialize};
use weir_model::Identity;

use super::{AuthError, Caller, PodRef};

/// The claims that count here. Others may be there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    /// Seconds since 1970; JSON has no other numbers.
    pub(super) exp: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<f64>,
    #[serde(rename = "kubernetes.io", default, skip_serializing_if = "Option::is_none")]
    pub(super) kubernetes: Option<Kubernetes>,
}

/// `kubernetes.io`: what the token is bound to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kubernetes {
    pub(super) namespace: String,
    pub(super) serviceaccount: Named,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pod: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) node: Option<Named>,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) uid: Option<String>,
}

impl Claims {
    /// Whose token it is. The subject and what the token is bound to must say the same.
    pub(super) fn caller(&self) -> Result<Caller, AuthError> {
        let refused =
            |reason: String| AuthError::Refused(format!("the token is no service account's: {reason}"));
        let subject = self.sub.strip_prefix(SUBJECT).and_then(|rest| rest.split_once(':'));
        let (namespace, account) =
            subject.ok_or_else(|| refused(format!("its subject is {:.100?}", self.sub)))?;
        // Names that could not stand in a certificate could not be compared with one either.
        Identity::new("any", namespace, account).map_err(|error| refused(error.to_string()))?;
        let mut caller = Caller::new(namespace, account);
        let Some(bound) = &self.kubernetes else {
            return Ok(caller);
        };
        if (bound.namespace.as_str(), bound.serviceaccount.name.as_str()) != (namespace, account) {
            return Err(refused("its subject and its kubernetes.io claim differ".to_owned()));
        }
        caller.pod = bound.pod.as_ref().map(|pod| PodRef {
            name: pod.name.as_str().into(),
            // Never equal to that of a pod.
            uid: pod.uid.as_deref().unwrap_or_default().into(),
        });
        caller.node = bound.node.as_ref().map(|node| node.name.as_str().into());
        Ok(caller)
    }
}

/// What subjects of service accounts begin with.
pub(super) const SUBJECT: &str = "system:serviceaccount:";
