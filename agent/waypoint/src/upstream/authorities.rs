//! Who may sign servers' certificates, where nobody says.

use std::sync::{Arc, OnceLock};

use rustls_pki_types::TrustAnchor;

/// The authorities that the system trusts, read when they are asked for first.
#[derive(Debug, Clone, Default)]
pub struct Authorities(Arc<OnceLock<Arc<[TrustAnchor<'static>]>>>);

impl Authorities {
    /// These, whatever the system says.
    pub fn of(anchors: impl Into<Arc<[TrustAnchor<'static>]>>) -> Self {
        let known = OnceLock::new();
        // It is empty.
        let _ = known.set(anchors.into());
        Self(Arc::new(known))
    }

    /// Reads files, once.
    pub(super) fn get(&self) -> &Arc<[TrustAnchor<'static>]> {
        self.0.get_or_init(|| {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "some of the authorities that this system trusts cannot be read");
            }
            let anchor = |der| webpki::anchor_from_trusted_cert(der).ok().map(|anchor| anchor.to_owned());
            found.certs.iter().filter_map(anchor).collect()
        })
    }
}
