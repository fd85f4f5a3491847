//! Certificate faults, as alerts for the peer and as texts for people.
//!
//! Chain faults keep rustls' own variants, because those pick the alert that the other side gets to read
//! ("certificate expired"). Faults that only a mesh has go through as [`PeerError`].

use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, Error, ExtendedKeyPurpose, OtherError, PeerIncompatible};

use crate::PeerError;

/// A handshake failure in words, with what to look at where that is known.
pub fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(fault) => fault_text(fault),
        Error::NoCertificatesPresented => PeerError::NoCertificate.to_string(),
        Error::AlertReceived(alert) => alert_text(*alert),
        Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => format!("the peer does not speak TLS 1.3, the only version in use here ({error})"),
        Error::NoApplicationProtocol => "the peer offers no h2 in ALPN, so it is no HBONE peer".to_owned(),
        other => other.to_string(),
    }
}

/// A chain fault in the same words.
pub(crate) fn reason(error: webpki::Error) -> String {
    explain(&chain_error(error))
}

pub(crate) fn peer_error(error: PeerError) -> Error {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}

/// What webpki found, as the rustls error that sends the right alert.
pub(crate) fn chain_error(error: webpki::Error) -> Error {
    use webpki::Error as E;
    let fault = match error {
        E::BadDer | E::BadDerTime | E::TrailingData(_) => CertificateError::BadEncoding,
        E::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        E::CertNotValidYet { time, not_before } => CertificateError::NotValidYetContext { time, not_before },
        E::CertRevoked => CertificateError::Revoked,
        E::InvalidCertValidity => CertificateError::Expired,
        E::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        E::UnknownIssuer => CertificateError::UnknownIssuer,
        E::RequiredEkuNotFoundContext(context) => CertificateError::InvalidPurposeContext {
            required: purpose(context.required.oid_values().collect()),
            presented: context.present.into_iter().map(purpose).collect(),
        },
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    fault.into()
}

/// For the half of a verifier that a TLS 1.3 configuration never calls.
pub(crate) fn no_tls12() -> Error {
    PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into()
}

fn purpose(oid: Vec<usize>) -> ExtendedKeyPurpose {
    match &oid[..] {
        webpki::KeyUsage::CLIENT_AUTH_REPR => ExtendedKeyPurpose::ClientAuth,
        webpki::KeyUsage::SERVER_AUTH_REPR => ExtendedKeyPurpose::ServerAuth,
        _ => ExtendedKeyPurpose::Other(oid),
    }
}

fn fault_text(fault: &CertificateError) -> String {
    let hint = match fault {
        CertificateError::Other(OtherError(inner)) => {
            if let Some(peer) = inner.downcast_ref::<PeerError>() {
                return peer.to_string();
            }
            return format!("the peer's certificate is not valid: {inner}");
        }
        CertificateError::UnknownIssuer => "its CA is none of our roots; do both nodes use the same CA?",
        CertificateError::BadSignature => {
            "its CA has the name of one of our roots but another key; was the CA made anew?"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the peer's node could not renew it, or a clock is wrong; look at the log of the peer's node"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "compare the clocks of the two nodes and of the CA"
        }
        CertificateError::Revoked => "its serial is in the revocation file",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it was issued for another use; look at its extended key usage"
        }
        _ => return format!("the peer's certificate is not valid: {fault}"),
    };
    format!("the peer's certificate is not valid: {fault}; {hint}")
}

fn alert_text(alert: AlertDescription) -> String {
    let hint = match alert {
        AlertDescription::UnknownCA => "it does not know our CA; do both nodes use the same CA?",
        AlertDescription::CertificateExpired => "it finds our certificate expired; compare the clocks",
        AlertDescription::CertificateRevoked => "our certificate is in its revocation list",
        AlertDescription::CertificateRequired => "it wants a client certificate and got none",
        AlertDescription::ProtocolVersion => "it does not speak TLS 1.3",
        AlertDescription::NoApplicationProtocol => "it does not speak h2, so it is no HBONE peer",
        _ => "look at its log for the reason",
    };
    format!("the peer refused the handshake ({alert:?}): {hint}")
}
