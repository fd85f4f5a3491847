//! Signing a workload's certificate.
//!
//! Only the public key is taken from the request. Everything else in a request is a wish of somebody who has
//! proved nothing but that key.

use std::error::Error;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PublicKeyData, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use weir_model::Identity;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use crate::clock::text;
use crate::{CaError, RequestError, SignedChain};

/// A CA that is ready to sign.
pub(super) struct Issuer {
    issuer: rcgen::Issuer<'static, KeyPair>,
    validity: RangeInclusive<SystemTime>,
    /// What goes behind a workload's certificate.
    intermediates: Vec<CertificateDer<'static>>,
    roots: Vec<CertificateDer<'static>>,
    /// Signed by itself, so that a successor needs nobody else.
    is_root: bool,
}

pub(super) enum IssueError {
    Request(RequestError),
    Issuer(Box<dyn Error + Send + Sync>),
}

impl Issuer {
    pub(super) fn new(
        issuer: rcgen::Issuer<'static, KeyPair>,
        validity: RangeInclusive<SystemTime>,
        intermediates: Vec<CertificateDer<'static>>,
        roots: Vec<CertificateDer<'static>>,
        is_root: bool,
    ) -> Self {
        Self { issuer, validity, intermediates, roots, is_root }
    }

    pub(super) fn validity(&self) -> &RangeInclusive<SystemTime> {
        &self.validity
    }

    pub(super) fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    pub(super) fn is_root(&self) -> bool {
        self.is_root
    }

    /// Signs for the key in the request. The certificate does not outlive the CA's.
    pub(super) fn issue(
        &self,
        csr_der: &[u8],
        identity: &Identity,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<SignedChain, IssueError> {
        let key = requested_key(csr_der).map_err(IssueError::Request)?;
        if lifetime > MAX_LIFETIME {
            let limit = MAX_LIFETIME;
            return Err(IssueError::Request(RequestError::Lifetime { asked: lifetime, limit }));
        }
        // Zero is Istio's way to ask for the default.
        let lifetime = if lifetime.is_zero() { DEFAULT_LIFETIME } else { lifetime };
        let name = SanType::URI(identity.to_string().try_into()?);
        let usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let chain = self.certify(&key, vec![name], usages, lifetime, now)?;
        Ok(SignedChain { chain, roots: self.roots.clone() })
    }

    /// A certificate of these names for a key, with what goes behind it.
    pub(super) fn certify(
        &self,
        key: &impl PublicKeyData,
        names: Vec<SanType>,
        usages: Vec<ExtendedKeyUsagePurpose>,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<Vec<CertificateDer<'static>>, IssueError> {
        let (first, last) = (*self.validity.start(), *self.validity.end());
        if now > last {
            let reason = format!("the CA certificate expired at {}; replace the CA files", text(last));
            return Err(IssueError::Issuer(reason.into()));
        }
        let mut params = params((now - BACKDATE).max(first), (now + lifetime).min(last));
        params.subject_alt_names = names;
        params.extended_key_usages = usages;
        let mut chain = vec![params.signed_by(key, &self.issuer)?.der().clone()];
        chain.extend(self.intermediates.iter().cloned());
        Ok(chain)
    }
}

/// What all certificates have in common: the fields of the SPIFFE X509-SVID standard but the name.
fn params(not_before: SystemTime, not_after: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    // Empty, which makes the SAN extension critical (RFC 5280 section 4.2.1.6).
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(random_serial());
    params.not_before = OffsetDateTime::from(not_before);
    params.not_after = OffsetDateTime::from(not_after);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.use_authority_key_identifier_extension = true;
    params
}

/// Whether the CA would sign for the key of this request (PKCS#10, DER).
///
/// # Errors
/// Why not.
pub fn check_request(csr_der: &[u8]) -> Result<(), RequestError> {
    requested_key(csr_der).map(drop)
}

/// The key of a request, if its holder signed the request and the key is one that peers can verify.
fn requested_key(csr_der: &[u8]) -> Result<SubjectPublicKeyInfo, RequestError> {
    let malformed = |detail: String| RequestError::Malformed { detail };
    let (rest, request) =
        X509CertificationRequest::from_der(csr_der).map_err(|error| malformed(error.to_string()))?;
    if !rest.is_empty() {
        return Err(malformed("bytes after the request".to_owned()));
    }
    let info = &request.certification_request_info.subject_pki;
    let key = info.parsed().map_err(|error| malformed(format!("public key: {error}")))?;
    match &key {
        PublicKey::EC(point) if matches!(point.key_size(), 256 | 384) => {}
        PublicKey::RSA(rsa) if (2048..=8192).contains(&rsa.key_size()) => {}
        other => return Err(RequestError::Key { found: name(other) }),
    }
    request.verify_signature().map_err(|_| RequestError::Signature)?;
    // Knows the curve by its OID: P-256 and P-384 pass, others of the same size do not.
    SubjectPublicKeyInfo::from_der(info.raw).map_err(|_| RequestError::Key { found: name(&key) })
}

fn name(key: &PublicKey<'_>) -> String {
    match key {
        PublicKey::RSA(rsa) => format!("RSA of {} bits", rsa.key_size()),
        PublicKey::EC(point) => format!("elliptic curve of {} bits", point.key_size()),
        PublicKey::DSA(_) => "DSA".to_owned(),
        _ => "of another kind".to_owned(),
    }
}

/// 126 random bits (RFC 5280 allows 20 bytes, positive).
pub(super) fn random_serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    // Positive, and no leading zero byte, so that all serials have one length.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

impl IssueError {
    /// The same, with who and for whom.
    pub(super) fn of(self, authority: String, identity: Identity) -> CaError {
        match self {
            Self::Request(reason) => CaError::Refused { authority, identity, reason },
            Self::Issuer(source) => CaError::Unavailable { authority, identity, source },
        }
    }

    /// For those who know the rest.
    pub(super) fn into_source(self) -> Box<dyn Error + Send + Sync> {
        match self {
            Self::Request(reason) => reason.into(),
            Self::Issuer(source) => source,
        }
    }
}

impl From<rcgen::Error> for IssueError {
    fn from(error: rcgen::Error) -> Self {
        Self::Issuer(error.into())
    }
}

/// How far certificates begin in the past, for peers whose clock is behind (Istio's value).
pub(super) const BACKDATE: Duration = Duration::from_secs(120);
/// For requests that name no lifetime.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Istio's default limit.
pub(super) const MAX_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
