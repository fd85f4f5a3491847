//! The door to whoever knows whether a token is good: a key file, or the Kubernetes API.

use std::future::Future;
use std::pin::Pin;

use super::{AuthError, Caller};

/// Verifies bearer tokens.
pub trait TokenVerifier: Send + Sync {
    /// Whose token it is, if it is good now and meant for us. Strangers choose the token.
    ///
    /// # Errors
    /// [`AuthError::Refused`] if it is not, [`AuthError::Unavailable`] if that cannot be found out.
    fn verify<'a>(&'a self, token: &'a str) -> VerifyFuture<'a>;
}

/// The answer to come.
pub type VerifyFuture<'a> = Pin<Box<dyn Future<Output = Result<Caller, AuthError>> + Send + 'a>>;
