//! Why nobody is let in.

/// A proof that does not count. The texts are for the log: a stranger is told no more than the kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The proof is missing or wrong.
    #[error("{0}")]
    Refused(String),
    /// Nobody could say whether the proof is good; the client is to try again.
    #[error("tokens cannot be verified now: {0}")]
    Unavailable(String),
}

impl From<AuthError> for tonic::Status {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Refused(_) => Self::unauthenticated("request authenticate failure"),
            AuthError::Unavailable(_) => Self::unavailable("tokens cannot be verified now, try again"),
        }
    }
}
