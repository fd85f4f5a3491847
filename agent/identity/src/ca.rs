//! Certificate authorities that sign here.
//!
//! What one is made of ([`Material`]) has the file names of Istio's `cacerts` secret: `ca-cert.pem`, `ca-key.pem`,
//! `cert-chain.pem`, `root-cert.pem`. It is somebody's own intermediate, or is made here on first use. An agent of its
//! own reads a directory ([`FileAuthority`]); the control plane keeps it in a [`MaterialStore`] that its replicas share,
//! and rotates it ([`CaAuthority`]).
//!
//! Keys of requests may be ECDSA P-256 (ours and ztunnel's), P-384, or RSA of 2048 to 8192 bits: Istio's
//! agent in gateways asks with RSA-2048. Nothing else of a request counts: all fields of a certificate are
//! ours.

mod authority;
mod create;
mod dir_store;
mod error;
mod file_authority;
mod issue;
mod load;
mod material;
mod rotation;
mod server;
mod state;
mod store;
#[cfg(test)]
mod tests;

pub use authority::{AuthorityConfig, CaAuthority};
pub use dir_store::DirStore;
pub use error::{AuthorityError, FileError};
pub use file_authority::FileAuthority;
pub use issue::check_request;
pub use material::{Material, new_key_pem};
pub use rotation::{Phase, RotationPolicy};
pub use server::{ServerCredentials, ServerNames};
pub use store::{Files, MaterialStore, StoreError, StoreFuture, Stored};

/// The CA's own certificate.
const CA_CERT: &str = "ca-cert.pem";
/// Its private key.
const CA_KEY: &str = "ca-key.pem";
/// Its certificate and those between it and the root.
const CERT_CHAIN: &str = "cert-chain.pem";
/// What everybody trusts: one root, or several while they change.
const ROOT_CERT: &str = "root-cert.pem";
pub(crate) const FILES: [&str; 4] = [CA_CERT, CA_KEY, CERT_CHAIN, ROOT_CERT];
