//! Tokens as a kubelet mounts them: signed by the cluster's key, and bound to a pod. Who has the public key can tell.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::answer::{Answer, json_answer};
use super::review::TokenOwner;

/// A key that signs tokens. Each is another one, and calls itself by the same name.
pub struct TokenIssuer {
    key: EncodingKey,
    public: Value,
    issued: AtomicU64,
}

impl TokenIssuer {
    /// Makes a key.
    pub fn new() -> Result<Self> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let mut public = Jwk::from_encoding_key(&key, Algorithm::ES256)?;
        public.common.key_id = Some(KEY.to_owned());
        Ok(Self { key, public: serde_json::to_value(public)?, issued: AtomicU64::default() })
    }

    /// A token of `owner` that ends after `lifetime`; no two are the same.
    pub fn sign(&self, owner: &TokenOwner, lifetime: Duration) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let TokenOwner { namespace, service_account, pod, node, audiences } = owner;
        let named = |name: &str, uid: &str| json!({"name": name, "uid": uid});
        let mut bound = json!({"namespace": namespace, "serviceaccount": named(service_account, "account")});
        if let Some((name, uid)) = pod {
            bound["pod"] = named(name, uid);
        }
        if let Some(node) = node {
            bound["node"] = named(node, "node");
        }
        let claims = json!({
            "iss": ISSUER, "sub": format!("system:serviceaccount:{namespace}:{service_account}"), "aud": audiences,
            "iat": now, "nbf": now, "exp": now + lifetime.as_secs(),
            "jti": self.issued.fetch_add(1, Ordering::Relaxed).to_string(), "kubernetes.io": bound,
        });
        let header = Header { kid: Some(KEY.to_owned()), ..Header::new(Algorithm::ES256) };
        Ok(encode(&header, &claims, &self.key)?)
    }

    /// The documents of the issuer discovery; `None`: another path.
    pub(crate) fn document(&self, path: &str) -> Option<Answer> {
        let document = match path {
            "/.well-known/openid-configuration" => json!({
                "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/openid/v1/jwks"), "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"],
            }),
            "/openid/v1/jwks" => json!({"keys": [self.public]}),
            _ => return None,
        };
        Some(json_answer(200, &document))
    }
}

impl std::fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenIssuer").field("public", &self.public).finish_non_exhaustive()
    }
}

/// As of a cluster whose domain is `cluster.local`.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const KEY: &str = "key-1";
