//! A secret as rustls takes it.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock};

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, TrustAnchor};
use webpki::{BorrowedCertRevocationList, CertRevocationList};
use weir_proto::l7;
use zeroize::Zeroize as _;

use super::provider;

/// A client's certificate, and by whom servers' are to be signed. What a secret does not have is not there.
pub struct Credential {
    pub(super) certified: Option<Arc<CertifiedKey>>,
    pub(super) anchors: Option<Arc<[TrustAnchor<'static>]>>,
    pub(super) revoked: Option<Arc<[CertRevocationList<'static>]>>,
    /// Tells it from another, without keeping what it was made from.
    print: u64,
}

/// Why a secret is of no use. Nothing of its contents is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// It is not PEM, or not of what it should be.
    #[error("{part} cannot be read: {why}")]
    Unreadable {
        /// Which part.
        part: &'static str,
        /// What is wrong.
        why: String,
    },
    /// One of two that need each other.
    #[error("it has {has} and no {lacks}")]
    Half {
        /// What is there.
        has: &'static str,
        /// What is not.
        lacks: &'static str,
    },
    /// The key is another's.
    #[error("certificate and key do not belong together: {0}")]
    Mismatch(String),
}

impl Credential {
    /// Reads a secret; its key is wiped.
    ///
    /// # Errors
    /// One part cannot be read. A secret is taken as a whole or not at all.
    pub fn compile(mut secret: l7::Secret) -> Result<Self, CredentialError> {
        let print = PRINTS.hash_one((
            &secret.certificate_chain,
            &secret.private_key,
            &secret.ca_certificates,
            &secret.crl,
        ));
        let certified = certified(&secret);
        secret.private_key.zeroize();
        Ok(Self {
            certified: certified?.map(Arc::new),
            anchors: anchors(&secret.ca_certificates)?,
            revoked: revoked(&secret.crl)?,
            print,
        })
    }

    /// Whether it has a certificate to show.
    pub fn has_certificate(&self) -> bool {
        self.certified.is_some()
    }

    /// Whether it says who may sign servers' certificates.
    pub fn has_authorities(&self) -> bool {
        self.anchors.is_some()
    }
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("certificate", &self.has_certificate())
            .field("authorities", &self.has_authorities())
            .field("revocations", &self.revoked.is_some())
            .finish_non_exhaustive()
    }
}

fn certified(secret: &l7::Secret) -> Result<Option<CertifiedKey>, CredentialError> {
    let half = |has, lacks| Err(CredentialError::Half { has, lacks });
    match (secret.certificate_chain.is_empty(), secret.private_key.is_empty()) {
        (true, true) => return Ok(None),
        (true, false) => return half("a key", "certificate"),
        (false, true) => return half("a certificate", "key"),
        (false, false) => {}
    }
    let chain = all::<CertificateDer<'static>>("the certificate", &secret.certificate_chain)?;
    let key =
        PrivateKeyDer::from_pem_slice(&secret.private_key).map_err(|why| unreadable("the key", &why))?;
    let made = CertifiedKey::from_der(chain, key, &provider());
    made.map(Some).map_err(|why| CredentialError::Mismatch(why.to_string()))
}

fn anchors(pem: &[u8]) -> Result<Option<Arc<[TrustAnchor<'static>]>>, CredentialError> {
    const PART: &str = "the authorities' certificates";
    if pem.is_empty() {
        return Ok(None);
    }
    let anchor = |der: CertificateDer<'static>| {
        let anchor = webpki::anchor_from_trusted_cert(&der);
        anchor.map(|anchor| anchor.to_owned()).map_err(|why| unreadable(PART, &why))
    };
    all::<CertificateDer<'static>>(PART, pem)?.into_iter().map(anchor).collect::<Result<_, _>>().map(Some)
}

fn revoked(pem: &[u8]) -> Result<Option<Arc<[CertRevocationList<'static>]>>, CredentialError> {
    const PART: &str = "the revocation list";
    if pem.is_empty() {
        return Ok(None);
    }
    let list = |der: CertificateRevocationListDer<'static>| {
        let list = BorrowedCertRevocationList::from_der(&der).and_then(|list| list.to_owned());
        list.map(CertRevocationList::from).map_err(|why| unreadable(PART, &why))
    };
    let lists = all::<CertificateRevocationListDer<'static>>(PART, pem)?.into_iter().map(list);
    lists.collect::<Result<_, _>>().map(Some)
}

/// All sections of a kind, of which there has to be one.
fn all<T: PemObject>(part: &'static str, pem: &[u8]) -> Result<Vec<T>, CredentialError> {
    let found = T::pem_slice_iter(pem).collect::<Result<Vec<T>, pem::Error>>();
    let found = found.map_err(|why| unreadable(part, &why))?;
    match found.is_empty() {
        true => Err(unreadable(part, &"there is no such section in the PEM")),
        false => Ok(found),
    }
}

fn unreadable(part: &'static str, why: &dyn fmt::Display) -> CredentialError {
    CredentialError::Unreadable { part, why: why.to_string() }
}

static PRINTS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
