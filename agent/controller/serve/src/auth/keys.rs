//! Tokens of our own: for meshes without a Kubernetes that would make them.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::{Jwk, JwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;
use weir_identity::ca::{DirStore, FileError, new_key_pem};

use super::Caller;
use super::claims::{Claims, Kubernetes, Named, SUBJECT};

/// A signing key in a directory (mode 0600), with the JWK set that verifies what it signed beside it.
pub struct JwksKeys {
    key: EncodingKey,
    id: Option<String>,
    dir: PathBuf,
}

impl JwksKeys {
    /// Opens the key in `dir`, or makes it: of any number of processes at once exactly one does.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn open_or_create(dir: impl Into<PathBuf>) -> Result<Self, KeysError> {
        let dir = dir.into();
        let store = DirStore::with_names(&dir, &[KEY, JWKS]);
        let failed = |source| match source {
            FileError::NotEmpty { dir } => KeysError::NotEmpty { dir },
            source => KeysError::Files { source },
        };
        if store.load_now().map_err(failed)?.is_none() {
            let pem = new_key_pem().map_err(FileError::from).map_err(failed)?;
            let jwks = serde_json::to_string_pretty(&JwkSet { keys: vec![public(&pem)?] })?;
            let files = [(KEY, pem), (JWKS, jwks)].map(|(name, text)| (name.to_owned(), text));
            store.create_now(&files.into()).map_err(failed)?;
        }
        let stored = store.load_now().map_err(failed)?;
        let pem = stored.and_then(|mut stored| stored.files.remove(KEY));
        let pem = pem.ok_or_else(|| KeysError::Missing { path: dir.join(KEY) })?;
        let id = public(&pem)?.common.key_id;
        Ok(Self { key: EncodingKey::from_ec_pem(pem.as_bytes())?, id, dir })
    }

    /// The file to verify with.
    pub fn jwks(&self) -> PathBuf {
        self.dir.join(JWKS)
    }

    /// A token of `caller` for `audience`.
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn issue(
        &self,
        caller: &Caller,
        audience: &str,
        now: SystemTime,
        lifetime: Duration,
    ) -> Result<String, KeysError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = Issued {
            aud: [audience],
            iat: now,
            claims: Claims {
                iss: ISSUER.to_owned(),
                sub: format!("{SUBJECT}{}:{}", caller.namespace, caller.service_account),
                // Exact up to 2^53 seconds.
                exp: now.saturating_add(lifetime.as_secs()) as f64,
                nbf: Some(now as f64),
                kubernetes: Some(bound(caller)),
            },
        };
        let header = Header { kid: self.id.clone(), ..Header::new(Algorithm::ES256) };
        Ok(encode(&header, &claims, &self.key)?)
    }

    /// Where the key is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

#[derive(Serialize)]
struct Issued<'a> {
    aud: [&'a str; 1],
    iat: u64,
    #[serde(flatten)]
    claims: Claims,
}

fn bound(caller: &Caller) -> Kubernetes {
    let named = |name: &str| Named { name: name.to_owned(), uid: None };
    Kubernetes {
        namespace: caller.namespace.to_string(),
        serviceaccount: named(&caller.service_account),
        pod: caller.pod.as_ref().map(|pod| Named { uid: Some(pod.uid.to_string()), ..named(&pod.name) }),
        node: caller.node.as_deref().map(named),
    }
}

/// The public half, with its RFC 7638 thumbprint as id.
fn public(pem: &str) -> Result<Jwk, KeysError> {
    let key = EncodingKey::from_ec_pem(pem.as_bytes())?;
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256)?;
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256)?);
    Ok(jwk)
}

/// Why there is no key to sign tokens with.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The files cannot be read or made.
    #[error("token keys: {source}")]
    Files {
        /// What is wrong.
        source: FileError,
    },
    /// Something else lives in the directory.
    #[error("{} holds no {KEY} and is not empty, so no token keys are made in it; name an empty or a new directory", dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
    },
    /// Half of what belongs there.
    #[error("{} is missing; remove {JWKS} beside it to have both made again", path.display())]
    Missing {
        /// The key.
        path: PathBuf,
    },
    /// It is no key, or cannot sign.
    #[error("the token key ({KEY}, an ECDSA P-256 key as PKCS#8 in PEM) cannot be used: {0}")]
    Key(#[from] jsonwebtoken::errors::Error),
    /// The set cannot be written.
    #[error("{JWKS} cannot be written: {0}")]
    Set(#[from] serde_json::Error),
}

/// Who made the token.
pub const ISSUER: &str = "weir-controller";
const KEY: &str = "token-key.pem";
const JWKS: &str = "jwks.json";
