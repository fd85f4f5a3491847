//! How a server of the control plane checks a client: most have no certificate and prove themselves by a token, but one
//! that is shown must be good.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{aws_lc_rs, verify_tls12_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::server::ClientVerifier;
use crate::AnswerError;
use crate::revocation::Revocations;
use crate::trust::{BadRoot, Trust};

/// Accepts clients without a certificate, and those of `trust_domain` whose chain leads to one of `roots`. Speaks TLS 1.2,
/// too, as gRPC clients of other meshes may.
///
/// # Errors
/// A root that is none.
pub fn optional_client_verifier(
    trust_domain: &str,
    roots: &[CertificateDer<'_>],
) -> Result<Arc<dyn ClientCertVerifier>, AnswerError> {
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    let bad = |BadRoot { number, detail }| AnswerError::BadRoot { number, detail };
    let trust = Arc::new(Trust::new(roots, algorithms, Revocations::none()).map_err(bad)?);
    Ok(Arc::new(Optional { trust: trust.clone(), inner: ClientVerifier::new(trust_domain.into(), trust) }))
}

#[derive(Debug)]
struct Optional {
    trust: Arc<Trust>,
    inner: ClientVerifier,
}

impl ClientCertVerifier for Optional {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.inner.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, self.trust.algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
