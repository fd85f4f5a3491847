//! Content that is named by its digest.

use sha2::{Digest, Sha256};

/// Bytes of the archive under `blobs/sha256`.
pub(super) struct Blob {
    pub(super) bytes: Vec<u8>,
    /// `sha256:` and 64 digits.
    pub(super) digest: String,
}

impl Blob {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { digest: digest(&bytes), bytes }
    }

    /// Where it lies in an OCI image layout.
    pub(super) fn path(&self) -> String {
        format!("blobs/{}", self.digest.replacen(':', "/", 1))
    }
}

/// The digest of bytes, in OCI's notation.
pub(super) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)))
}
