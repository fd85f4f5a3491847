//! The identity in a peer's certificate.
//!
//! SPIFFE allows one URI SAN in a certificate. A certificate with two is refused rather than read: whoever
//! checks the first and whoever uses the second would disagree about who the peer is.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use weir_model::Identity;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The identity of the peer whose certificate chain this is: the single URI SAN of the first certificate.
///
/// It does not verify the chain: that was done by the handshake that the chain comes from, or is done by
/// [`WorkloadCertificate::check_client`](crate::WorkloadCertificate::check_client).
///
/// # Errors
/// No certificate, an unreadable one, no URI SAN or several, or one that is not a mesh identity.
pub fn peer_identity(chain: &[CertificateDer<'_>]) -> Result<Identity, PeerError> {
    let leaf = chain.first().ok_or(PeerError::NoCertificate)?;
    leaf_identity(leaf)
}

/// The same for the leaf alone.
pub(crate) fn leaf_identity(leaf: &CertificateDer<'_>) -> Result<Identity, PeerError> {
    let (rest, certificate) = X509Certificate::from_der(leaf).map_err(malformed)?;
    if !rest.is_empty() {
        return Err(malformed("bytes after the certificate"));
    }
    let names = certificate.subject_alternative_name().map_err(malformed)?;
    let names = names.as_ref().map_or(&[][..], |san| &san.value.general_names);
    let mut uris = names.iter().filter(|name| is_uri(name));
    let (first, others) = (uris.next(), uris.count());
    match first {
        Some(GeneralName::URI(uri)) if others == 0 => Ok(uri.parse()?),
        Some(GeneralName::Invalid(..)) if others == 0 => Err(malformed("a URI SAN that is not text")),
        Some(_) => Err(PeerError::UriCount { count: others + 1 }),
        None => Err(PeerError::UriCount { count: 0 }),
    }
}

/// Also one whose bytes are not text: it counts, or it could hide beside a good one.
fn is_uri(name: &GeneralName<'_>) -> bool {
    matches!(name, GeneralName::URI(_)) || matches!(name, GeneralName::Invalid(tag, _) if tag.0 == URI_TAG)
}

fn malformed(detail: impl ToString) -> PeerError {
    PeerError::Malformed { detail: detail.to_string() }
}

/// Why a peer is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The peer sent none.
    #[error("the peer sent no certificate")]
    NoCertificate,
    /// Not readable as X.509.
    #[error("the peer's certificate cannot be read: {detail}")]
    Malformed {
        /// What the parser said.
        detail: String,
    },
    /// None, or several.
    #[error(
        "the peer's certificate has {count} URI SANs where one SPIFFE id belongs; look at the CA that issued it"
    )]
    UriCount {
        /// How many there are.
        count: usize,
    },
    /// One, of another form.
    #[error("the peer's certificate names no mesh identity: {0}")]
    NotMesh(#[from] weir_model::IdentityError),
    /// A client of another trust domain.
    #[error("the peer is {peer}, and only clients of trust domain {own} are accepted here")]
    TrustDomain {
        /// Whom the certificate names.
        peer: Identity,
        /// The trust domain of this workload.
        own: Arc<str>,
    },
    /// A server that is somebody else.
    #[error("the peer is {peer}, expected {}; is the address still that workload's?", list(expected))]
    Unexpected {
        /// Whom the certificate names.
        peer: Identity,
        /// Who was dialled.
        expected: Arc<[Identity]>,
    },
    /// A dial without anybody to expect.
    #[error("the peer is {peer}, but no identity is known for the destination, so nobody is accepted")]
    NobodyExpected {
        /// Whom the certificate names.
        peer: Identity,
    },
    /// The chain does not hold (any more).
    #[error("the certificate chain of the peer is not valid here: {reason}")]
    Chain {
        /// What is wrong, in the words of [`explain`](crate::explain).
        reason: String,
    },
}

fn list(identities: &[Identity]) -> String {
    let names: Vec<String> = identities.iter().map(Identity::to_string).collect();
    names.join(" or ")
}

/// Context tag of uniformResourceIdentifier in a GeneralName (RFC 5280 section 4.2.1.6).
const URI_TAG: u32 = 6;
