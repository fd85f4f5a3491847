//! Whether an authority's answer can be used. Better to refuse it here and keep the old certificate than to
//! find out at each handshake.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use weir_model::Identity;

use super::CertificateSummary;
use crate::SignedChain;
use crate::peer::{PeerError, peer_identity};
use crate::tls::{Context, reason};
use crate::trust::{BadRoot, Role, Trust};

/// The parts of an answer that is good.
pub(super) struct Checked {
    pub(super) key: Arc<SingleCertAndKey>,
    pub(super) trust: Arc<Trust>,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) roots: Vec<CertificateDer<'static>>,
    pub(super) leaf: CertificateSummary,
}

pub(super) fn check(
    identity: &Identity,
    key: PrivateKeyDer<'static>,
    answer: SignedChain,
    context: &Context,
) -> Result<Checked, AnswerError> {
    let SignedChain { chain, roots } = answer;
    let leaf = chain.first().ok_or(AnswerError::NoCertificate)?;
    if roots.is_empty() {
        return Err(AnswerError::NoRoots);
    }
    let named = peer_identity(&chain).map_err(AnswerError::Identity)?;
    if named != *identity {
        return Err(AnswerError::OtherIdentity { named });
    }
    let leaf = CertificateSummary::read(leaf).map_err(AnswerError::Identity)?;
    let trust = trust(&roots, context)?;
    for role in [Role::Server, Role::Client] {
        let verified = trust.verify_chain(role, &chain, context.clock.now());
        verified.map_err(|error| AnswerError::Chain { reason: reason(error) })?;
    }
    let key = CertifiedKey::new(chain.clone(), any_ecdsa_type(&key)?);
    key.keys_match().map_err(|_| AnswerError::OtherKey)?;
    Ok(Checked { key: Arc::new(key.into()), trust: Arc::new(trust), chain, roots, leaf })
}

fn trust(roots: &[CertificateDer<'static>], context: &Context) -> Result<Trust, AnswerError> {
    let algorithms = context.provider.signature_verification_algorithms;
    Ok(Trust::new(roots, algorithms, context.revocations.clone())?)
}

/// What is wrong with the answer of an authority. It is the authority that must be looked at.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// An empty chain.
    #[error("the CA answered without a certificate")]
    NoCertificate,
    /// Nothing to verify peers with.
    #[error("the CA answered without a root certificate; look at its root-cert.pem or trust bundle")]
    NoRoots,
    /// A root that cannot be read.
    #[error("root certificate {number} of the CA's answer cannot be read: {detail}")]
    BadRoot {
        /// Which one, from 1.
        number: usize,
        /// What the parser said.
        detail: String,
    },
    /// No identity, or an unreadable certificate.
    #[error("the CA answered with a certificate that names no workload: {0}")]
    Identity(#[source] PeerError),
    /// Somebody else's certificate.
    #[error(
        "the CA answered with a certificate of {named}; does it take the identity from elsewhere than the request?"
    )]
    OtherIdentity {
        /// Whom it names.
        named: Identity,
    },
    /// A certificate for another key.
    #[error("the CA answered with a certificate of a key that is not ours")]
    OtherKey,
    /// A chain that peers would refuse.
    #[error("the CA answered with a chain that does not hold against its own roots: {reason}")]
    Chain {
        /// What is wrong.
        reason: String,
    },
    /// rustls does not take it.
    #[error("the certificate cannot be used for TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl From<BadRoot> for AnswerError {
    fn from(BadRoot { number, detail }: BadRoot) -> Self {
        Self::BadRoot { number, detail }
    }
}
