//! TLS towards endpoints: what a user's secrets and settings are to rustls, made once and used for many connections.
//!
//! ```text
//!   l7::Secret --Credential--\
//!   l7::UpstreamTls ----------> Tls (one for a cluster) --handshake--> a connection
//!   Authorities of the system-/
//! ```
//! What cannot be made is an error with its reason: there is no connection without what was asked for. A credential that
//! changes makes another [`Tls`], so that no session of the old one is resumed.

mod authorities;
mod credential;
mod handshake;
mod tls;
mod verifier;

pub use authorities::Authorities;
pub use credential::{Credential, CredentialError};
pub(crate) use handshake::handshake;
pub use tls::{Alpn, Tls, TlsError};

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// AWS-LC with all that servers outside of the mesh may ask for: TLS 1.2 and 1.3. The order is that of rustls, but for the
/// first suite: AES-128 costs a quarter less than AES-256.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    Arc::new(provider)
}
