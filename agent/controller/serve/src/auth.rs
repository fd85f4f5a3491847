//! Who is calling.
//!
//! A client proves itself by a certificate of the mesh or by a bound service account token. What it says about itself
//! elsewhere (metadata of a node, names in a request) is compared with the [`Caller`], never the other way round.

mod caller;
mod error;
mod verifier;

pub use caller::{Caller, PodRef};
pub use error::AuthError;
pub use verifier::{TokenVerifier, VerifyFuture};
