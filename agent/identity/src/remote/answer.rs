//! What comes back: the leaf, each intermediate, and as the last element all roots.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::SignedChain;

/// Takes an answer apart.
pub(super) fn read(elements: &[String]) -> Result<SignedChain, UnreadableAnswer> {
    let (roots, chain) = elements.split_last().ok_or(UnreadableAnswer::TooShort { elements: 0 })?;
    if chain.is_empty() {
        return Err(UnreadableAnswer::TooShort { elements: 1 });
    }
    if elements.len() > MAX_ELEMENTS {
        return Err(UnreadableAnswer::TooLong { elements: elements.len() });
    }
    let mut signed = SignedChain { chain: Vec::new(), roots: certificates(elements.len(), roots)? };
    for (index, element) in chain.iter().enumerate() {
        let certificates = certificates(index + 1, element)?;
        // A CA that is its own root stands in both places at some authorities; peers have no use for it.
        signed.chain.extend(certificates.into_iter().filter(|der| !signed.roots.contains(der)));
    }
    Ok(signed)
}

/// Of one element there may be several certificates; none is a mistake.
fn certificates(number: usize, text: &str) -> Result<Vec<CertificateDer<'static>>, UnreadableAnswer> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err(UnreadableAnswer::Element { number, detail: "no CERTIFICATE block".to_owned() })
        }
        Ok(found) => Ok(found),
        Err(error) => Err(UnreadableAnswer::Element { number, detail: error.to_string() }),
    }
}

/// Why an answer has no chain.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnreadableAnswer {
    #[error("its answer has {elements} elements; a certificate and the roots were expected")]
    TooShort { elements: usize },
    #[error("its answer has {elements} elements, which no chain needs")]
    TooLong { elements: usize },
    #[error("element {number} of its answer is not PEM: {detail}")]
    Element { number: usize, detail: String },
}

const MAX_ELEMENTS: usize = 32;
