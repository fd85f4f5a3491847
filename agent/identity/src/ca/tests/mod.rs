//! The directory CA: made once, opened with care, signs what we say.

mod creation;
mod dir_store;
mod opening;
mod own;
mod rotation;
mod signing;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use weir_model::Identity;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{CA_CERT, CA_KEY, CERT_CHAIN, FileAuthority, ROOT_CERT};
use crate::fixture::{HOUR, id};
use crate::request::KeyAndRequest;

pub(super) fn root_of(authority: &FileAuthority) -> Vec<u8> {
    let answer = authority.shared.sign(&request(), &id("web"), HOUR).unwrap();
    answer.roots[0].to_vec()
}

pub(super) fn request() -> Vec<u8> {
    KeyAndRequest::new(&Identity::new("any", "any", "any").unwrap()).unwrap().csr_der
}

pub(super) fn lifetime(der: &CertificateDer<'_>) -> Duration {
    let (_, certificate) = X509Certificate::from_der(der).unwrap();
    let validity = certificate.validity();
    Duration::from_secs((validity.not_after.timestamp() - validity.not_before.timestamp()) as u64)
}

pub(super) fn refusal(dir: &Path) -> String {
    FileAuthority::open_or_create(dir).err().expect("refused").to_string()
}

pub(super) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(super) fn set_mode(dir: &Path, mode: u32) {
    fs::set_permissions(dir.join(CA_KEY), Permissions::from_mode(mode)).unwrap();
}

pub(super) fn write_key(dir: &Path, content: &str) {
    fs::write(dir.join(CA_KEY), content).unwrap();
    set_mode(dir, 0o600);
}

pub(super) fn write_ca(dir: &Path, certificate: &str, key: &str, chain: &str, root: &str) {
    fs::create_dir(dir).unwrap();
    for (name, content) in [(CA_CERT, certificate), (CERT_CHAIN, chain), (ROOT_CERT, root)] {
        fs::write(dir.join(name), content).unwrap();
    }
    write_key(dir, key);
}
