//! Tokens that are verified against a file of public keys (a JWK set, RFC 7517).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use weir_identity::Clock;
use weir_identity::stamp::{Stamp, stamp};

use super::claims::Claims;
use super::{AuthError, Caller, TokenVerifier, VerifyFuture};

/// Verifies tokens with the keys in a file, which is read again when it changes.
pub struct JwksVerifier {
    path: PathBuf,
    /// Without algorithm: that comes with the key.
    validation: Validation,
    clock: Arc<dyn Clock>,
    loaded: Mutex<(Option<Stamp>, Arc<Vec<Key>>)>,
}

/// A key, and the one algorithm that it is for. A token's header does not choose.
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwksVerifier {
    /// Verifies that tokens are for `audience` and, if one is given, from `issuer`.
    ///
    /// # Errors
    /// The file cannot be read, or holds no key that could be used.
    pub fn open(
        path: impl Into<PathBuf>,
        audience: &str,
        issuer: Option<&str>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, JwksError> {
        let path = path.into();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["aud", "iss", "sub", "exp"]);
        if let Some(issuer) = issuer {
            validation.set_issuer(&[issuer]);
        }
        // Time is this crate's business: against a clock that tests can set.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let stamp = stamp(&path);
        let loaded = Mutex::new((stamp, Arc::new(read(&path)?)));
        Ok(Self { path, validation, clock, loaded })
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn verify_now(&self, token: &str) -> Result<Caller, AuthError> {
        let refused = |reason: String| AuthError::Refused(format!("the token is refused: {reason}"));
        let header = decode_header(token).map_err(|error| refused(error.to_string()))?;
        if header.crit.is_some() {
            return Err(refused("its header has crit, which nothing here understands".to_owned()));
        }
        let keys = self.keys();
        let fits = |key: &&Key| header.kid.is_none() || key.id == header.kid;
        let mut candidates = keys.iter().filter(fits).filter(|key| key.algorithm == header.alg).peekable();
        if candidates.peek().is_none() {
            let (id, path) = (header.kid.unwrap_or_default(), self.path.display());
            return Err(refused(format!("no key '{id:.100}' for {:?} in {path}", header.alg)));
        }
        let mut outcome = Err(refused(String::new()));
        for key in candidates {
            let validation = Validation { algorithms: vec![key.algorithm], ..self.validation.clone() };
            match decode::<Claims>(token, &key.key, &validation) {
                Ok(data) => return self.check_time(&data.claims).and_then(|()| data.claims.caller()),
                Err(error) => outcome = Err(refused(error.to_string())),
            }
        }
        outcome
    }

    fn check_time(&self, claims: &Claims) -> Result<(), AuthError> {
        let now = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        if now > claims.exp + LEEWAY {
            let age = now - claims.exp;
            return Err(AuthError::Refused(format!("the token expired {age:.0} seconds ago")));
        }
        match claims.nbf {
            Some(begin) if now + LEEWAY < begin => {
                let wait = begin - now;
                Err(AuthError::Refused(format!("the token is valid in {wait:.0} seconds; is a clock wrong?")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The keys as the file is now; as it was, if it is being changed.
    fn keys(&self) -> Arc<Vec<Key>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.path);
        if loaded.0 != now {
            loaded.0 = now;
            match read(&self.path) {
                Ok(keys) => loaded.1 = Arc::new(keys),
                Err(error) => tracing::error!("the keys that were read before stay in use: {error}"),
            }
        }
        loaded.1.clone()
    }
}

impl TokenVerifier for JwksVerifier {
    fn verify<'a>(&'a self, token: &'a str) -> VerifyFuture<'a> {
        // A signature is some 50 us; no need to go elsewhere.
        Box::pin(std::future::ready(self.verify_now(token)))
    }
}

/// A usual [`Clock`] for [`JwksVerifier::open`].
pub fn system_clock() -> Arc<dyn Clock> {
    Arc::new(SystemTime::now)
}

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// It cannot be read.
    #[error("token keys {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not a JWK set, or has no key for us.
    #[error("token keys {}: {detail}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

fn read(path: &Path) -> Result<Vec<Key>, JwksError> {
    let content = |detail: String| JwksError::Content { path: path.into(), detail };
    let text = fs::read(path).map_err(|source| JwksError::Read { path: path.into(), source })?;
    let set: JwkSet =
        serde_json::from_slice(&text).map_err(|error| content(format!("no JWK set: {error}")))?;
    // Others may keep keys for other purposes in it.
    let keys: Vec<Key> = set.keys.iter().filter_map(usable).collect();
    match keys.is_empty() {
        true => Err(content("no RSA, EC (P-256, P-384) or Ed25519 public key in it".to_owned())),
        false => Ok(keys),
    }
}

fn usable(jwk: &Jwk) -> Option<Key> {
    let algorithm = match (&jwk.algorithm, jwk.common.key_algorithm) {
        (AlgorithmParameters::EllipticCurve(ec), _) => match ec.curve {
            EllipticCurve::P256 => Algorithm::ES256,
            EllipticCurve::P384 => Algorithm::ES384,
            _ => return None,
        },
        (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Algorithm::RS256,
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::RS384)) => Algorithm::RS384,
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::RS512)) => Algorithm::RS512,
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::PS256)) => Algorithm::PS256,
        (AlgorithmParameters::OctetKeyPair(pair), _) if pair.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        // Of the rest, a shared secret is the worst: whoever can verify with it can sign with it.
        _ => return None,
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(Key { id: jwk.common.key_id.clone(), algorithm, key })
}

/// Seconds that clocks may differ.
const LEEWAY: f64 = 10.0;
