//! How a listener checks a client: chain, then one identity, then its trust domain. Which client may do
//! what is authorization and comes later.
//!
//! Servers of the control plane do the same with clients that show a certificate. Most have none and prove themselves by
//! a token; and gRPC clients of other meshes may speak TLS 1.2.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use weir_model::Identity;

use super::explain::{chain_error, no_tls12, peer_error};
use crate::AnswerError;
use crate::peer::{PeerError, leaf_identity};
use crate::revocation::Revocations;
use crate::trust::{Role, Trust};

/// Accepts clients without a certificate, and those of `trust_domain` whose chain leads to one of `roots`.
///
/// # Errors
/// A root that is none.
pub fn optional_client_verifier(
    trust_domain: &str,
    roots: &[CertificateDer<'_>],
) -> Result<Arc<dyn ClientCertVerifier>, AnswerError> {
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    let trust = Arc::new(Trust::new(roots, algorithms, Revocations::none())?);
    Ok(Arc::new(ClientVerifier { trust_domain: trust_domain.into(), trust, who: Clients::Anybody }))
}

/// Accepts clients of one trust domain.
pub(crate) struct ClientVerifier {
    trust_domain: Arc<str>,
    trust: Arc<Trust>,
    who: Clients,
}

/// Whose clients they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clients {
    /// A workload's: all have certificates, and TLS 1.3.
    Mesh,
    /// The control plane's.
    Anybody,
}

impl ClientVerifier {
    pub(crate) fn new(trust_domain: Arc<str>, trust: Arc<Trust>) -> Self {
        Self { trust_domain, trust, who: Clients::Mesh }
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.who == Clients::Mesh
    }

    /// No hints: they cost bytes in each handshake, and mesh clients have one certificate anyway.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.trust.verify(Role::Client, end_entity, intermediates, now).map_err(chain_error)?;
        let peer = leaf_identity(end_entity).map_err(peer_error)?;
        check_trust_domain(peer, &self.trust_domain).map_err(peer_error)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.who {
            Clients::Mesh => Err(no_tls12()),
            Clients::Anybody => verify_tls12_signature(message, cert, dss, self.trust.algorithms()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, self.trust.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.algorithms().supported_schemes()
    }
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientVerifier").field("trust_domain", &self.trust_domain).finish_non_exhaustive()
    }
}

/// Passes on an identity of the trust domain `own`.
pub(crate) fn check_trust_domain(peer: Identity, own: &Arc<str>) -> Result<Identity, PeerError> {
    match peer.trust_domain() == &**own {
        true => Ok(peer),
        false => Err(PeerError::TrustDomain { peer, own: own.clone() }),
    }
}
