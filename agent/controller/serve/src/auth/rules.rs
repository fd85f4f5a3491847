//! What a signed token must say, whoever's keys verify it.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use weir_identity::Clock;

use super::claims::Claims;
use super::jwks::KeySet;
use super::{AuthError, Caller};

/// Whom tokens must be for and from, and the clock of their ends.
pub(super) struct Rules {
    /// Without algorithm: that comes with the key.
    validation: Validation,
    clock: Arc<dyn Clock>,
}

impl Rules {
    /// Tokens are for `audience` and, if one is given, from `issuer`.
    pub(super) fn new(audience: &str, issuer: Option<&str>, clock: Arc<dyn Clock>) -> Self {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["aud", "iss", "sub", "exp"]);
        if let Some(issuer) = issuer {
            validation.set_issuer(&[issuer]);
        }
        // Time is this crate's business: against a clock that tests can set.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self { validation, clock }
    }

    /// Whose token it is, if one of these keys signed it.
    pub(super) fn verify(&self, token: &str, keys: &KeySet) -> Result<Caller, AuthError> {
        let refused = |reason: String| AuthError::Refused(format!("the token is refused: {reason}"));
        let header = decode_header(token).map_err(|error| refused(error.to_string()))?;
        if header.crit.is_some() {
            return Err(refused("its header has crit, which nothing here understands".to_owned()));
        }
        let mut candidates = keys.candidates(&header).peekable();
        if candidates.peek().is_none() {
            let (id, from) = (header.kid.as_deref().unwrap_or_default(), keys.from());
            return Err(refused(format!("no key '{id:.100}' for {:?} in {from}", header.alg)));
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
}

/// Seconds that clocks may differ.
const LEEWAY: f64 = 10.0;
