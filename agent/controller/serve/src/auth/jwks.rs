//! Public keys (a JWK set, RFC 7517) that tokens are verified with.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, Header};

/// The keys of a set that can be used, and where it is from.
pub(super) struct KeySet {
    from: Box<str>,
    keys: Vec<Key>,
}

/// A key, and the one algorithm that it is for. A token's header does not choose.
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl KeySet {
    /// Reads the text of a set; `from` is where it is from, for the log.
    pub(super) fn parse(from: &str, text: &[u8]) -> Result<Self, KeySetError> {
        let set: JwkSet = serde_json::from_slice(text)?;
        // Others may keep keys for other purposes in it.
        let keys: Vec<Key> = set.keys.iter().filter_map(usable).collect();
        match keys.is_empty() {
            true => Err(KeySetError::NoKey),
            false => Ok(Self { from: from.into(), keys }),
        }
    }

    /// The keys that may have signed a token with this header.
    pub(super) fn candidates(&self, header: &Header) -> impl Iterator<Item = &Key> {
        let fits = |key: &&Key| header.kid.is_none() || key.id == header.kid;
        self.keys.iter().filter(move |key| fits(key) && key.algorithm == header.alg)
    }

    /// Where the set is from.
    pub(super) fn from(&self) -> &str {
        &self.from
    }
}

/// Why a text is no set of keys for us.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// It is something else.
    #[error("no JWK set: {0}")]
    Syntax(#[from] serde_json::Error),
    /// None of its keys can be used.
    #[error("no RSA, EC (P-256, P-384) or Ed25519 public key in it")]
    NoKey,
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
