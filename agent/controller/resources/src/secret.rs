//! `v1` Secret: what TLS needs of it, and nothing else.

mod material;

use std::fmt;

use zeroize::Zeroize as _;

use crate::Meta;

/// Certificates, a key and who is trusted, as PEM. Other contents are not kept.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret {
    /// Metadata.
    pub meta: Meta,
    /// `tls.crt`, or `cert`; empty: not there, here and below.
    pub certificate: Vec<u8>,
    /// `tls.key`, or `key`.
    pub private_key: Vec<u8>,
    /// `ca.crt`, or `cacert`.
    pub ca_certificates: Vec<u8>,
    /// `ca.crl`, or `crl`.
    pub crl: Vec<u8>,
    /// When the first of its own certificates is over, in seconds since 1970.
    pub not_after: Option<i64>,
}

impl fmt::Debug for Secret {
    /// Never a byte of what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Meta { namespace, name, .. } = &self.meta;
        write!(f, "Secret({namespace}/{name})")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.private_key.zeroize();
    }
}
