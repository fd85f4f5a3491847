//! TokenReview: the tokens are those that the test names.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// Whose token it is.
#[derive(Debug, Clone, Default)]
pub struct TokenOwner {
    /// Namespace of the service account.
    pub namespace: String,
    /// Name of the service account.
    pub service_account: String,
    /// Pod that the token is bound to: name and uid.
    pub pod: Option<(String, String)>,
    /// Node that the pod runs on.
    pub node: Option<String>,
    /// What it is for; empty: the API server itself.
    pub audiences: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<HashMap<String, TokenOwner>>);

impl Tokens {
    pub(crate) fn add(&self, token: &str, owner: TokenOwner) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned(), owner);
    }

    /// The review with its status.
    pub(crate) fn review(&self, mut review: Value) -> Value {
        let token = review["spec"]["token"].as_str().unwrap_or_default().to_owned();
        let owner = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&token).cloned();
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        let mut asked = texts(&review["spec"]["audiences"]);
        if asked.is_empty() {
            asked.push(API_SERVER.to_owned());
        }
        review["status"] = match owner {
            None => refused("[invalid bearer token, token lookup failed]"),
            Some(owner) => {
                let own = if owner.audiences.is_empty() {
                    vec![API_SERVER.to_owned()]
                } else {
                    owner.audiences.clone()
                };
                asked.retain(|audience| own.contains(audience));
                if asked.is_empty() {
                    refused(&format!(
                        "[invalid bearer token, token audiences {own:?} is invalid for the target]"
                    ))
                } else {
                    accepted(&owner, &asked)
                }
            }
        };
        review
    }
}

const API_SERVER: &str = "https://kubernetes.default.svc.cluster.local";

fn refused(why: &str) -> Value {
    json!({"user": {}, "error": why})
}

fn accepted(owner: &TokenOwner, audiences: &[String]) -> Value {
    let (namespace, account) = (&owner.namespace, &owner.service_account);
    let mut extra = json!({"authentication.kubernetes.io/credential-id": ["JTI=1"]});
    if let Some((name, uid)) = &owner.pod {
        extra["authentication.kubernetes.io/pod-name"] = json!([name]);
        extra["authentication.kubernetes.io/pod-uid"] = json!([uid]);
    }
    if let Some(node) = &owner.node {
        extra["authentication.kubernetes.io/node-name"] = json!([node]);
    }
    json!({
        "authenticated": true,
        "audiences": audiences,
        "user": {
            "username": format!("system:serviceaccount:{namespace}:{account}"),
            "uid": "00000000-0000-4000-8000-000000000001",
            "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{namespace}"), "system:authenticated"],
            "extra": extra,
        },
    })
}
