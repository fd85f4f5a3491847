//! A fresh key and the request to sign for it.
//!
//! The key lives in this process's memory only: it goes from here into the rustls signer and is never
//! serialized to anything but that.

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use weir_model::Identity;

/// An ECDSA P-256 key and a PKCS#10 request for it.
pub(crate) struct KeyAndRequest {
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) csr_der: Vec<u8>,
}

impl KeyAndRequest {
    /// Makes a key, and a request with an empty subject and the identity as the only URI SAN (what Istio's
    /// CA expects of a node proxy).
    pub(crate) fn new(identity: &Identity) -> Result<Self, rcgen::Error> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(identity.to_string().try_into()?)];
        let csr_der = params.serialize_request(&pair)?.der().to_vec();
        let key = PrivatePkcs8KeyDer::from(pair.serialize_der()).into();
        Ok(Self { key, csr_der })
    }
}
