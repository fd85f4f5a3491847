//! Who is calling.
//!
//! A client proves itself by a certificate of the mesh or by a bound service account token. What it says about itself
//! elsewhere (metadata of a node, names in a request) is compared with the [`Caller`], never the other way round.
//!
//! ```text
//!   connection --handshake--> Peer --+
//!                                    +--> Authenticator --> Caller, in the extensions of the request
//!   request --authorization header---+         |
//!                                       TokenVerifier (a JWKS file, or Kubernetes and, while it is away, its keys)
//! ```

mod authenticator;
mod cache;
mod caller;
mod claims;
mod error;
mod held_keys;
mod jwks;
mod key_file;
mod keys;
mod layer;
mod peer;
mod refusals;
mod rules;
#[cfg(test)]
mod tests;
mod verifier;

pub use authenticator::Authenticator;
pub use caller::{Caller, PodRef};
pub use error::AuthError;
pub use held_keys::HeldKeys;
pub use jwks::KeySetError;
pub use key_file::{JwksError, JwksVerifier, system_clock};
pub use keys::{ISSUER, JwksKeys, KeysError};
pub use layer::Authenticated;
pub use peer::Peer;
pub use verifier::{TokenVerifier, VerifyFuture};
