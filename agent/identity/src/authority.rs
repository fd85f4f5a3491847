//! The door to whoever signs certificates.
//!
//! The shape is that of Istio's `CreateCertificate` (istio.v1.auth): a request with a key, the identity it is
//! for, a lifetime; a chain and the roots come back. The directory CA and a gRPC client both fit behind it.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use weir_model::Identity;

/// Signs certificates of workloads.
pub trait CertificateAuthority: Send + Sync {
    /// Signs for the key in `csr_der` (PKCS#10, DER). The certificate is for `identity`, whatever names the
    /// request holds, and lives for at most `lifetime`.
    fn sign(&self, csr_der: Vec<u8>, identity: Identity, lifetime: Duration) -> SignFuture<'_>;

    /// A number that changes when the authority's own certificates changed. Certificates that were signed
    /// under another generation are renewed early, so new roots reach every workload while the old ones are
    /// still trusted. Must be cheap. An authority that cannot know returns a constant.
    fn generation(&self) -> u64 {
        0
    }
}

/// The answer to come.
pub type SignFuture<'a> = Pin<Box<dyn Future<Output = Result<SignedChain, CaError>> + Send + 'a>>;

/// What an authority answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedChain {
    /// The workload's certificate, then the intermediates. Roots are not in it.
    pub chain: Vec<CertificateDer<'static>>,
    /// What peers' chains must lead to. Several while roots are being rotated.
    pub roots: Vec<CertificateDer<'static>>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The authority works and says no. It is the asker that must change, or what the authority knows of it.
    #[error("CA {authority} refuses to sign for {identity}: {reason}")]
    Refused {
        /// Which authority: a directory or an address.
        authority: String,
        /// For whom.
        identity: Identity,
        /// What is wrong with the request.
        reason: RequestError,
    },
    /// The authority cannot sign now.
    #[error("CA {authority} cannot sign for {identity}: {source}")]
    Unavailable {
        /// Which authority: a directory or an address.
        authority: String,
        /// For whom.
        identity: Identity,
        /// What is wrong with the authority.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// What is wrong with a request for a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not PKCS#10.
    #[error("the request is not a PKCS#10 structure in DER: {detail}")]
    Malformed {
        /// What the parser said.
        detail: String,
    },
    /// The asker does not hold the private key.
    #[error(
        "the request is not signed with the key it holds; make it again with the private key of that key"
    )]
    Signature,
    /// A key that is too weak or that peers could not verify.
    #[error("the request's key is {found}; use ECDSA P-256 or P-384, or RSA of 2048 to 8192 bits")]
    Key {
        /// What the key is.
        found: String,
    },
    /// A lifetime that nobody should get.
    #[error("a lifetime of {asked:?} is more than the {limit:?} that this CA gives")]
    Lifetime {
        /// What was asked for.
        asked: Duration,
        /// The longest there is.
        limit: Duration,
    },
    /// The authority's own reason, when it is on the other side of a wire.
    #[error("{0}")]
    Remote(String),
}
