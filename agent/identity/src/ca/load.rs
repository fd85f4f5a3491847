//! Reading a CA, and finding out early whether it is one that peers will accept.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use rcgen::{KeyPair, PublicKeyData};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use weir_model::Identity;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::issue::{IssueError, Issuer};
use super::{CA_CERT, CA_KEY, CERT_CHAIN, FileError, Material, ROOT_CERT};
use crate::clock::{from_timestamp, text};
use crate::request::KeyAndRequest;
use crate::revocation::Revocations;
use crate::tls::reason;
use crate::trust::{Role, Trust};

/// Reads and checks all files of the CA in `dir`.
pub(super) fn load(dir: &Path, now: SystemTime) -> Result<Issuer, FileError> {
    issuer(&read(dir)?, dir, now)
}

/// Reads the files of a CA.
fn read(dir: &Path) -> Result<Material, FileError> {
    Ok(Material {
        ca_cert: read_text(&dir.join(CA_CERT))?,
        ca_key: read_secret(&dir.join(CA_KEY))?,
        root_cert: read_text(&dir.join(ROOT_CERT))?,
        cert_chain: match dir.join(CERT_CHAIN) {
            path if path.exists() => read_text(&path)?,
            // Istio leaves it out when the root signed the CA directly.
            _ => String::new(),
        },
    })
}

/// Checks a CA, wherever it was kept: `place` is what errors put before the names.
pub(super) fn issuer(material: &Material, place: &Path, now: SystemTime) -> Result<Issuer, FileError> {
    let certificate = certificates(&material.ca_cert, &place.join(CA_CERT))?.swap_remove(0);
    let key = key(&material.ca_key, &place.join(CA_KEY))?;
    let roots = certificates(&material.root_cert, &place.join(ROOT_CERT))?;
    let chain = match material.cert_chain.as_str() {
        "" => Vec::new(),
        chain => certificates(chain, &place.join(CERT_CHAIN))?,
    };
    let (not_before, not_after) = check_certificate(place, &certificate, &key, now)?;
    let issuer = rcgen::Issuer::from_ca_cert_der(&certificate, key)?;
    let is_root = is_self_issued(&certificate);
    let chain = presented(certificate, chain, &roots);
    let issuer = Issuer::new(issuer, not_before..=not_after, chain, roots, is_root);
    check_issuer(place, &issuer, now)?;
    Ok(issuer)
}

/// What goes behind a workload's certificate: the CA's certificate and what is between it and the roots,
/// without the roots.
fn presented(
    own: CertificateDer<'static>,
    chain: Vec<CertificateDer<'static>>,
    roots: &[CertificateDer<'static>],
) -> Vec<CertificateDer<'static>> {
    let mut presented: Vec<CertificateDer<'static>> = Vec::new();
    for certificate in std::iter::once(own).chain(chain) {
        let is_needed = !roots.contains(&certificate) && !is_self_issued(&certificate);
        if is_needed && !presented.contains(&certificate) {
            presented.push(certificate);
        }
    }
    presented
}

fn is_self_issued(der: &CertificateDer<'_>) -> bool {
    let parsed = X509Certificate::from_der(der);
    parsed.is_ok_and(|(_, certificate)| certificate.subject().as_raw() == certificate.issuer().as_raw())
}

fn certificates(text: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let content = |detail| FileError::Content { path: path.into(), detail };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let certificates = certificates.map_err(|error| content(format!("not PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(content("no CERTIFICATE block in it".to_owned()));
    }
    for (index, der) in certificates.iter().enumerate() {
        X509Certificate::from_der(der)
            .map_err(|error| content(format!("certificate {} is not X.509: {error}", index + 1)))?;
    }
    Ok(certificates)
}

fn key(text: &str, path: &Path) -> Result<KeyPair, FileError> {
    let content = |detail: String| FileError::Content { path: path.into(), detail };
    let der = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|error| content(format!("no unencrypted PRIVATE KEY block in it: {error}")))?;
    KeyPair::try_from(&der)
        .map_err(|error| content(format!("not an ECDSA, RSA or Ed25519 private key: {error}")))
}

/// What is not text in a file is outside the PEM blocks, or makes them none.
pub(super) fn read_text(path: &Path) -> Result<String, FileError> {
    let bytes = fs::read(path).map_err(|source| FileError::Read { path: path.into(), source })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The same of a file that is nobody else's business.
pub(super) fn read_secret(path: &Path) -> Result<String, FileError> {
    let unreadable = |source| FileError::Read { path: path.into(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(FileError::KeyOpen { path: path.into(), mode });
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The checks that have a clearer text than the verifier's. Answers with the validity.
fn check_certificate(
    dir: &Path,
    der: &CertificateDer<'_>,
    key: &KeyPair,
    now: SystemTime,
) -> Result<(SystemTime, SystemTime), FileError> {
    let path = dir.join(CA_CERT);
    let malformed = |error| FileError::Content { path: path.clone(), detail: format!("{error}") };
    let (_, certificate) = X509Certificate::from_der(der).map_err(malformed)?;
    if certificate.public_key().raw != key.subject_public_key_info() {
        return Err(FileError::KeyMismatch { key: dir.join(CA_KEY), certificate: path });
    }
    if !certificate.is_ca() {
        return Err(FileError::NotCa { path, detail: "basicConstraints without CA:TRUE" });
    }
    let usage = certificate.key_usage().ok().flatten();
    if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        return Err(FileError::NotCa { path, detail: "keyUsage without keyCertSign" });
    }
    let validity = certificate.validity();
    let from = from_timestamp(validity.not_before.timestamp());
    let to = from_timestamp(validity.not_after.timestamp());
    if !(from..=to).contains(&now) {
        return Err(FileError::NotValid { path, from: text(from), to: text(to), now: text(now) });
    }
    Ok((from, to))
}

/// Signs a certificate for nobody and verifies it like a peer: that covers roots, names, path lengths, key
/// usages and whatever else a user's own chain can have wrong.
fn check_issuer(dir: &Path, issuer: &Issuer, now: SystemTime) -> Result<(), FileError> {
    let refused = |reason| FileError::Chain { dir: dir.into(), reason };
    let nobody = Identity::new("weir.invalid", "none", "none").map_err(|error| refused(error.to_string()))?;
    let request = KeyAndRequest::new(&nobody)?;
    let answer =
        issuer.issue(&request.csr_der, &nobody, PROBE_LIFETIME, now).map_err(|error| match error {
            IssueError::Request(error) => refused(error.to_string()),
            IssueError::Issuer(error) => refused(error.to_string()),
        })?;
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    let trust = Trust::new(&answer.roots, algorithms, Revocations::none())
        .map_err(|bad| refused(format!("root {} in {ROOT_CERT}: {}", bad.number, bad.detail)))?;
    for role in [Role::Client, Role::Server] {
        trust.verify_chain(role, &answer.chain, now).map_err(|error| refused(reason(error)))?;
    }
    Ok(())
}

const PROBE_LIFETIME: std::time::Duration = std::time::Duration::from_secs(60);
