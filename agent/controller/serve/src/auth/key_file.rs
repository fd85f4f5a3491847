//! Tokens that are verified against a file of public keys.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use weir_identity::Clock;
use weir_identity::stamp::{Stamp, stamp};

use super::jwks::{KeySet, KeySetError};
use super::rules::Rules;
use super::{AuthError, Caller, TokenVerifier, VerifyFuture};

/// Verifies tokens with the keys in a file, which is read again when it changes.
pub struct JwksVerifier {
    path: PathBuf,
    rules: Rules,
    loaded: Mutex<(Option<Stamp>, Arc<KeySet>)>,
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
        let stamp = stamp(&path);
        let loaded = Mutex::new((stamp, Arc::new(read(&path)?)));
        Ok(Self { path, rules: Rules::new(audience, issuer, clock), loaded })
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn verify_now(&self, token: &str) -> Result<Caller, AuthError> {
        self.rules.verify(token, &self.keys())
    }

    /// The keys as the file is now; as it was, if it is being changed.
    fn keys(&self) -> Arc<KeySet> {
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
    #[error("token keys {}: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: KeySetError,
    },
}

fn read(path: &Path) -> Result<KeySet, JwksError> {
    let text = fs::read(path).map_err(|source| JwksError::Read { path: path.into(), source })?;
    let keys = KeySet::parse(&path.display().to_string(), &text);
    keys.map_err(|source| JwksError::Content { path: path.into(), source })
}
