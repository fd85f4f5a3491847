//! How a dialler checks a server: chain, then one identity, which must be one of those expected at that
//! address. Names and addresses in the certificate play no part.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use weir_model::Identity;

use super::explain::{chain_error, no_tls12, peer_error};
use crate::peer::{PeerError, leaf_identity};
use crate::trust::{Role, Trust};

/// Accepts servers of some identities.
pub(crate) struct ServerVerifier {
    trust: Arc<Trust>,
    expected: Arc<[Identity]>,
}

impl ServerVerifier {
    pub(crate) fn new(trust: Arc<Trust>, expected: Arc<[Identity]>) -> Self {
        Self { trust, expected }
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.trust.verify(Role::Server, end_entity, intermediates, now).map_err(chain_error)?;
        let peer = leaf_identity(end_entity).map_err(peer_error)?;
        check_expected(peer, &self.expected).map_err(peer_error)?;
        Ok(ServerCertVerified::assertion())
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

impl fmt::Debug for ServerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerVerifier").field("expected", &self.expected).finish_non_exhaustive()
    }
}

/// Passes on an identity that is in `expected`. Of an empty set nobody is.
pub(crate) fn check_expected(peer: Identity, expected: &[Identity]) -> Result<Identity, PeerError> {
    if expected.is_empty() {
        return Err(PeerError::NobodyExpected { peer });
    }
    match expected.contains(&peer) {
        true => Ok(peer),
        false => Err(PeerError::Unexpected { peer, expected: expected.into() }),
    }
}
