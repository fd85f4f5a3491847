//! What a CA is made of.

use std::fmt;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use time::OffsetDateTime;

use super::issue::{BACKDATE, random_serial};

/// The four texts of a CA, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Material {
    /// The CA's own certificate.
    pub ca_cert: String,
    /// Its private key.
    pub ca_key: String,
    /// Its certificate and those between it and the root; may be empty when the root signed the CA directly.
    pub cert_chain: String,
    /// What everybody trusts: one root, or several while they change.
    pub root_cert: String,
}

impl Material {
    /// A new self-signed CA.
    ///
    /// # Errors
    /// No key could be made.
    pub fn generate(now: SystemTime) -> Result<Self, rcgen::Error> {
        let key = new_key()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Weir");
        // Two CAs that were made here are told apart by their names too.
        let common_name = format!("Weir CA {:08x}", rand::random::<u32>());
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.serial_number = Some(random_serial());
        params.not_before = OffsetDateTime::from(now - BACKDATE);
        params.not_after = OffsetDateTime::from(now + LIFETIME);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            ca_cert: certificate.clone(),
            ca_key: key.serialize_pem(),
            cert_chain: certificate.clone(),
            root_cert: certificate,
        })
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("root_cert", &self.root_cert).finish_non_exhaustive()
    }
}

/// A new ECDSA P-256 key as PKCS#8 in PEM: for those who sign other things than certificates.
///
/// # Errors
/// The system has no randomness.
pub fn new_key_pem() -> Result<String, rcgen::Error> {
    Ok(new_key()?.serialize_pem())
}

pub(super) fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

/// Ten years, like Istio's self-signed root.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
