//! Tokens that are verified against public keys in memory.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use weir_identity::Clock;

use super::jwks::{KeySet, KeySetError};
use super::rules::Rules;
use super::{AuthError, Caller};

/// Verifies tokens with keys that somebody else reads and hands over; at first there are none.
pub struct HeldKeys {
    audience: Box<str>,
    clock: Arc<dyn Clock>,
    held: ArcSwapOption<(Rules, KeySet)>,
}

impl HeldKeys {
    /// Verifies that tokens are for `audience`.
    pub fn new(audience: &str, clock: Arc<dyn Clock>) -> Self {
        Self { audience: audience.into(), clock, held: ArcSwapOption::empty() }
    }

    /// From now on, tokens are those that `issuer` signed with a key of this JWK set.
    ///
    /// # Errors
    /// The text is no set of keys that could be used; those that were held before stay.
    pub fn hold(&self, issuer: &str, jwks: &[u8]) -> Result<(), KeySetError> {
        let keys = KeySet::parse(&format!("the keys of {issuer}"), jwks)?;
        let rules = Rules::new(&self.audience, Some(issuer), self.clock.clone());
        self.held.store(Some(Arc::new((rules, keys))));
        Ok(())
    }

    /// From now on, there are no keys.
    pub fn forget(&self) {
        self.held.store(None);
    }

    /// Whose token it is; `None`: there are no keys.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn verify_now(&self, token: &str) -> Option<Result<Caller, AuthError>> {
        let held = self.held.load();
        held.as_deref().map(|(rules, keys)| rules.verify(token, keys))
    }
}
