//! What people want to see of a certificate.

use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::PeerError;
use crate::clock::from_timestamp;

/// A certificate as the config dump shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSummary {
    /// Serial number, in hexadecimal.
    pub serial: String,
    /// Begin of the validity.
    pub not_before: SystemTime,
    /// End of the validity.
    pub not_after: SystemTime,
    /// The certificate as PEM.
    pub pem: String,
}

impl CertificateSummary {
    /// Reads the parts.
    ///
    /// # Errors
    /// The certificate cannot be parsed.
    pub fn read(der: &CertificateDer<'_>) -> Result<Self, PeerError> {
        let malformed = |error| PeerError::Malformed { detail: format!("{error}") };
        let (_, certificate) = X509Certificate::from_der(der).map_err(malformed)?;
        let validity = certificate.validity();
        let serial = certificate.raw_serial().iter().map(|byte| format!("{byte:02x}"));
        Ok(Self {
            serial: serial.collect(),
            not_before: from_timestamp(validity.not_before.timestamp()),
            not_after: from_timestamp(validity.not_after.timestamp()),
            pem: pem("CERTIFICATE", der),
        })
    }

    /// The PEM in base64, the way Istio's config dump carries it.
    pub fn pem_base64(&self) -> String {
        base64(self.pem.as_bytes())
    }
}

/// A structure as text (RFC 7468).
pub fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let body = base64(der);
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// RFC 4648 section 4, with padding.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * position)) as usize & 63];
            text.push(if position > group.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::{base64, pem};

    #[test]
    fn base64_of_rfc_4648() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, coded) in cases {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn pem_lines_hold_64_characters() {
        let text = pem("X", &[7; 100]);
        let lengths: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(lengths, [17, 64, 64, 8, 15]);
    }
}
