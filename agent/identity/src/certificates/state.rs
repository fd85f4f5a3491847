//! The state of a certificate as operators see it.

use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use weir_model::Identity;

use super::slot::Slot;
use crate::certificate::CertificateSummary;

/// One identity's line in the config dump.
#[derive(Debug, Clone)]
pub struct CertificateState {
    /// Whose.
    pub identity: Identity,
    /// Whether there is one to use.
    pub status: Status,
    /// The certificate, then its intermediates.
    pub chain: Vec<CertificateSummary>,
    /// What the chains of peers must lead to.
    pub roots: Vec<CertificateSummary>,
    /// When it is to be renewed. `None` while attempts fail.
    pub renew_at: Option<SystemTime>,
    /// The last failed attempt, if it was after the certificate came.
    pub last_failure: Option<String>,
}

/// Whether there is a certificate to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The first request is under way.
    Initializing,
    /// There is one, and it is valid.
    Available,
    /// There is none, or it has expired; why.
    Unavailable(String),
}

impl Slot {
    /// The state at `now`.
    pub(super) fn describe(&self, now: SystemTime) -> CertificateState {
        let state = self.state.load();
        let status = match self.current(now) {
            Ok(_) => Status::Available,
            Err(crate::IdentityError::Pending { .. }) => Status::Initializing,
            Err(error) => Status::Unavailable(error.to_string()),
        };
        let certificate = state.certificate.as_ref();
        CertificateState {
            identity: self.identity.clone(),
            status,
            chain: certificate.map(|held| summaries(held.chain())).unwrap_or_default(),
            roots: certificate.map(|held| summaries(held.roots())).unwrap_or_default(),
            renew_at: state.renew_at,
            last_failure: state.failure.as_ref().map(ToString::to_string),
        }
    }
}

/// All of them were parsed when the answer was checked; one that could not be would be left out.
fn summaries(certificates: &[CertificateDer<'_>]) -> Vec<CertificateSummary> {
    certificates.iter().filter_map(|der| CertificateSummary::read(der).ok()).collect()
}
