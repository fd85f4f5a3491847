//! What can be wrong with a CA in a directory.

use std::io;
use std::path::PathBuf;

use super::StoreError;

/// Errors of [`FileAuthority`](super::FileAuthority): each names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file is missing or cannot be read.
    #[error("CA file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what its name says.
    #[error("CA file {}: {detail}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What was expected and found.
        detail: String,
    },
    /// The key is open to others.
    #[error("CA key {} has mode {mode:04o}, so others than its owner can use it; chmod 600 it, and make a new CA if somebody may have read it", path.display())]
    KeyOpen {
        /// The key.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Key and certificate are of two pairs.
    #[error("CA key {} does not belong to {}: the public keys differ; compare openssl pkey -pubout and openssl x509 -pubkey of them", key.display(), certificate.display())]
    KeyMismatch {
        /// The key.
        key: PathBuf,
        /// The certificate.
        certificate: PathBuf,
    },
    /// A certificate that must not sign.
    #[error("{} is not a CA certificate ({detail}); sign it again as a CA", path.display())]
    NotCa {
        /// The certificate.
        path: PathBuf,
        /// What it lacks.
        detail: &'static str,
    },
    /// A certificate outside its validity.
    #[error("CA certificate {} is valid from {from} to {to} and it is {now}; replace the CA files, or correct the clock", path.display())]
    NotValid {
        /// The certificate.
        path: PathBuf,
        /// Begin of its validity.
        from: String,
        /// End of its validity.
        to: String,
        /// What the clock says.
        now: String,
    },
    /// The files are fine one by one, and peers would still refuse what is signed with them.
    #[error("certificates of the CA in {} would not be accepted by peers: {reason}; do cert-chain.pem and root-cert.pem lead from ca-cert.pem to the root (openssl verify -CAfile root-cert.pem -untrusted cert-chain.pem ca-cert.pem)?", dir.display())]
    Chain {
        /// The directory.
        dir: PathBuf,
        /// What a verifier says.
        reason: String,
    },
    /// Something else lives there.
    #[error("{} holds no CA and is not empty, so none is made in it; name an empty or a new directory, or put ca-cert.pem, ca-key.pem, cert-chain.pem and root-cert.pem there", dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
    },
    /// A CA could not be made.
    #[error("no CA could be made in {} ({step}): {source}", dir.display())]
    Create {
        /// The directory.
        dir: PathBuf,
        /// What was being done.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A CA could not be put in place because of a mount.
    #[error("no CA can be made in {}: it is a mount point, and a CA appears by the rename of a whole directory; name a directory inside it", dir.display())]
    MountPoint {
        /// The directory.
        dir: PathBuf,
    },
    /// No key or certificate could be made.
    #[error("no CA certificate could be made: {0}")]
    Generate(#[from] rcgen::Error),
}

/// Errors of [`CaAuthority`](super::CaAuthority).
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Where the CA is kept does not work.
    #[error("the CA cannot be read or kept: {0}")]
    Store(#[from] StoreError),
    /// What is kept there is no CA that can be used.
    #[error(transparent)]
    Material(#[from] FileError),
    /// The CA that a rotation is to lead to cannot be used.
    #[error(
        "the CA that is to sign next (next-cert.pem and next-key.pem in the place of ca-cert.pem and ca-key.pem): {source}"
    )]
    Next {
        /// What is wrong with it.
        source: FileError,
    },
    /// A rotation that was asked for and cannot be.
    #[error("the root of the CA in {place} is not rotated: {detail}")]
    Rotation {
        /// Where the CA is kept.
        place: String,
        /// Why not.
        detail: &'static str,
    },
    /// A certificate of the control plane's own.
    #[error("the CA in {place} cannot make a certificate for the control plane: {source}")]
    Server {
        /// Where the CA is kept.
        place: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
