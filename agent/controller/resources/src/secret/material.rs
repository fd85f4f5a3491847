//! Whether what is in a secret can be used: it is PEM, of what it should be, and the key is that of the certificate.

use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::Secret;
use crate::Problem;

impl Secret {
    /// With what can be found out by looking into it.
    ///
    /// # Errors
    /// The first part that is of no use. Nothing of its contents is in the words.
    pub(crate) fn check(mut self) -> Result<Self, Problem> {
        let wrong = |key: &str, why: String| Problem::new(format!("data[{key}]"), why);
        let lacks =
            |what: &str, key: &str| Problem::new(format!("data[{key}]"), format!("is missing beside {what}"));
        match (self.certificate.is_empty(), self.private_key.is_empty()) {
            (true, true) => {}
            (false, true) => return Err(lacks("tls.crt", "tls.key")),
            (true, false) => return Err(lacks("tls.key", "tls.crt")),
            (false, false) => {
                let chain = certificates(&self.certificate).map_err(|why| wrong("tls.crt", why))?;
                let key = PrivateKeyDer::from_pem_slice(&self.private_key)
                    .map_err(|why| wrong("tls.key", format!("is no PEM of a private key: {why}")))?;
                self.not_after = chain.iter().filter_map(|der| not_after(der)).min();
                CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
                    .map_err(|why| wrong("tls.key", format!("does not belong to tls.crt: {why}")))?;
            }
        }
        if !self.ca_certificates.is_empty() {
            certificates(&self.ca_certificates).map_err(|why| wrong("ca.crt", why))?;
        }
        if !self.crl.is_empty() {
            lists(&self.crl).map_err(|why| wrong("ca.crl", why))?;
        }
        Ok(self)
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|why| format!("is no PEM of certificates: {why}"))?;
    if found.is_empty() {
        return Err("is no PEM of certificates: there is none in it".to_owned());
    }
    match found.iter().position(|der| X509Certificate::from_der(der).is_err()) {
        Some(place) => Err(format!("has something in place {place} that is no certificate")),
        None => Ok(found),
    }
}

fn lists(pem: &[u8]) -> Result<(), String> {
    let found = CertificateRevocationListDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|why| format!("is no PEM of revocation lists: {why}"))?;
    match found.is_empty() || found.iter().any(|der| CertificateRevocationList::from_der(der).is_err()) {
        true => Err("is no PEM of revocation lists".to_owned()),
        false => Ok(()),
    }
}

fn not_after(der: &[u8]) -> Option<i64> {
    X509Certificate::from_der(der).ok().map(|(_, read)| read.validity().not_after.timestamp())
}
