//! The two rustls configurations of the tunnel.
//!
//! TLS 1.3 only, `h2` only, no resumption: a resumed session would skip the check of the peer's identity
//! against today's expectation and today's revocation list.

mod client;
mod explain;
mod server;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use weir_model::Identity;

use crate::Clock;
use crate::clock::TlsClock;
use crate::revocation::Revocations;
use crate::trust::Trust;
pub use explain::explain;
pub(crate) use explain::reason;
pub use server::optional_client_verifier;

/// The one protocol that both sides offer. A peer that offers none at all passes the TLS layer (RFC 7301
/// says so); the tunnel must compare the connection's `alpn_protocol()` with this.
pub const ALPN_H2: &[u8] = b"h2";

/// The name to give rustls when dialling. It is not sent and not compared with anything: peers are known by
/// their SPIFFE ids.
pub fn server_name() -> ServerName<'static> {
    ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into())
}

/// What all configurations of one [`Certificates`](crate::Certificates) share.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) revocations: Arc<Revocations>,
}

impl Context {
    pub(crate) fn new(clock: Arc<dyn Clock>, revocations: Arc<Revocations>) -> Self {
        Self { provider: Arc::new(provider()), clock, revocations }
    }

    /// The configuration of a listener of `own`: clients must prove an identity of the same trust domain.
    pub(crate) fn server(
        &self,
        own: &Identity,
        key: Arc<SingleCertAndKey>,
        trust: Arc<Trust>,
    ) -> Result<ServerConfig, rustls::Error> {
        let verifier = server::ClientVerifier::new(own.trust_domain().into(), trust);
        let clock = Arc::new(TlsClock(self.clock.clone()));
        let mut config = ServerConfig::builder_with_details(self.provider.clone(), clock)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(key);
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        config.ignore_client_order = true;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        // The tunnel has its own record layer: it takes the traffic keys after the handshake.
        config.enable_secret_extraction = true;
        Ok(config)
    }

    /// The configuration of a dialler that expects nobody; [`expecting`] makes one to use of it.
    pub(crate) fn client(
        &self,
        key: Arc<SingleCertAndKey>,
        trust: Arc<Trust>,
    ) -> Result<ClientConfig, rustls::Error> {
        let verifier = server_verifier(trust, Arc::new([]));
        let clock = Arc::new(TlsClock(self.clock.clone()));
        let mut config = ClientConfig::builder_with_details(self.provider.clone(), clock)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(key);
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        config.enable_sni = false;
        config.enable_secret_extraction = true;
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }
}

/// A copy of `template` that accepts a server only if it is one of `expected`.
pub(crate) fn expecting(
    template: &ClientConfig,
    trust: Arc<Trust>,
    expected: Arc<[Identity]>,
) -> ClientConfig {
    let mut config = template.clone();
    config.dangerous().set_certificate_verifier(server_verifier(trust, expected));
    config
}

/// Whether a server of this identity is one of those expected.
pub(crate) use client::check_expected;
/// Whether a client of this identity may come in at all.
pub(crate) use server::check_trust_domain;

fn server_verifier(trust: Arc<Trust>, expected: Arc<[Identity]>) -> Arc<client::ServerVerifier> {
    Arc::new(client::ServerVerifier::new(trust, expected))
}

/// AWS-LC with the suites in our order: AES-128 costs a quarter less than AES-256 per byte, and both are
/// what HBONE peers offer. Key exchange keeps the provider's order, the post-quantum hybrid first.
fn provider() -> CryptoProvider {
    use aws_lc_rs::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384};
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    CryptoProvider {
        cipher_suites: vec![TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384],
        kx_groups: vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1],
        ..aws_lc_rs::default_provider()
    }
}
