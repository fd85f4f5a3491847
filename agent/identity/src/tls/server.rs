//! How a listener checks a client: chain, then one identity, then its trust domain. Which client may do
//! what is authorization and comes later.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use weir_model::Identity;

use super::explain::{chain_error, no_tls12, peer_error};
use crate::peer::{PeerError, leaf_identity};
use crate::trust::{Role, Trust};

/// Accepts clients of one trust domain.
pub(crate) struct ClientVerifier {
    trust_domain: Arc<str>,
    trust: Arc<Trust>,
}

impl ClientVerifier {
    pub(crate) fn new(trust_domain: Arc<str>, trust: Arc<Trust>) -> Self {
        Self { trust_domain, trust }
    }
}

impl ClientCertVerifier for ClientVerifier {
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
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
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
