//! Whether a server is the one that is meant.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};

/// Checks the chain, then whether one of the names in the certificate is one that is wanted.
pub(super) struct Verifier {
    /// `None`: anybody is believed, and only the handshake is checked.
    pub(super) anchors: Option<Arc<[TrustAnchor<'static>]>>,
    pub(super) revoked: Option<Arc<[CertRevocationList<'static>]>>,
    /// One must be in the certificate; empty: the server's name.
    pub(super) names: Vec<Expected>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

/// A name as it may be in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    /// A DNS name or an address.
    Server(ServerName<'static>),
    /// A URI, character by character.
    Uri(String),
}

impl Expected {
    /// What has a scheme is a URI; `None`: it is nothing that a certificate can have.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.contains("://") {
            true => Some(Self::Uri(text.to_owned())),
            false => ServerName::try_from(text.to_owned()).ok().map(Self::Server),
        }
    }

    fn is_in(&self, certificate: &EndEntityCert<'_>) -> bool {
        match self {
            Self::Server(name) => certificate.verify_is_valid_for_subject_name(name).is_ok(),
            Self::Uri(wanted) => certificate.valid_uri_names().any(|uri| uri == wanted),
        }
    }
}

impl Verifier {
    fn chain(
        &self,
        anchors: &[TrustAnchor<'static>],
        certificate: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        let lists: Vec<&CertRevocationList<'_>> =
            self.revoked.iter().flat_map(|lists| lists.iter()).collect();
        // Whoever gives a list means it: what no list speaks of, and a list whose time is over, let nobody pass.
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let usage = KeyUsage::server_auth();
        let all = self.algorithms.all;
        certificate.verify_for_usage(all, anchors, intermediates, now, usage, revocation, None).map(drop)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(anchors) = &self.anchors else { return Ok(ServerCertVerified::assertion()) };
        let certificate = EndEntityCert::try_from(end_entity).map_err(refused)?;
        self.chain(anchors, &certificate, intermediates, now).map_err(refused)?;
        match self.names.is_empty() {
            true => certificate.verify_is_valid_for_subject_name(server_name).map_err(refused)?,
            false if self.names.iter().any(|name| name.is_in(&certificate)) => {}
            false => return Err(CertificateError::NotValidForName.into()),
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What webpki found, as the rustls error that sends the right alert.
fn refused(error: webpki::Error) -> Error {
    use webpki::Error as E;
    let fault = match error {
        E::BadDer | E::BadDerTime | E::TrailingData(_) => CertificateError::BadEncoding,
        E::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        E::CertNotValidYet { time, not_before } => CertificateError::NotValidYetContext { time, not_before },
        E::CertRevoked => CertificateError::Revoked,
        E::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus,
        E::CrlExpired { time, next_update } => {
            CertificateError::ExpiredRevocationListContext { time, next_update }
        }
        E::UnknownIssuer => CertificateError::UnknownIssuer,
        E::CertNotValidForName(names) => {
            CertificateError::NotValidForNameContext { expected: names.expected, presented: names.presented }
        }
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    fault.into()
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("names", &self.names).finish_non_exhaustive()
    }
}
