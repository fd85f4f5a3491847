//! Whether a chain leads to a root: RFC 5280 path validation by webpki, with the revocation lists.

use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{
    EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder,
    UnknownStatusPolicy, anchor_from_trusted_cert,
};

use crate::clock;
use crate::revocation::Revocations;

/// The roots of one certificate's answer, and what was revoked since.
pub(crate) struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
    revocations: Arc<Revocations>,
}

impl Trust {
    /// An error names the position of a root that is not a certificate. Such a root is not left out in
    /// silence: a mesh that trusts less than its operator thinks fails at the worst time.
    pub(crate) fn new(
        roots: &[CertificateDer<'_>],
        algorithms: WebPkiSupportedAlgorithms,
        revocations: Arc<Revocations>,
    ) -> Result<Self, BadRoot> {
        let anchor = |(index, root)| match anchor_from_trusted_cert(root) {
            Ok(anchor) => Ok(anchor.to_owned()),
            Err(error) => Err(BadRoot { number: index + 1, detail: format!("{error:?}") }),
        };
        let anchors = roots.iter().enumerate().map(anchor).collect::<Result<_, _>>()?;
        Ok(Self { anchors, algorithms, revocations })
    }

    /// Verifies the chain of a peer that is `role`. Names are not looked at.
    pub(crate) fn verify(
        &self,
        role: Role,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        let usage = match role {
            Role::Client => KeyUsage::client_auth(),
            Role::Server => KeyUsage::server_auth(),
        };
        let leaf = EndEntityCert::try_from(leaf)?;
        let lists = self.revocations.lists();
        let lists: Vec<_> = lists.iter().collect();
        // No list: nothing is revoked. A certificate that no list speaks of is taken, like in Istio; an
        // expired list still says what was revoked, and refusing everybody when its update is late would
        // turn a missed cron job into an outage.
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Allow)
                .with_expiration_policy(ExpirationPolicy::Ignore)
                .build()
        });
        leaf.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            intermediates,
            now,
            usage,
            revocation,
            None,
        )?;
        Ok(())
    }

    /// The same for a whole chain as a peer sends it.
    pub(crate) fn verify_chain(
        &self,
        role: Role,
        chain: &[CertificateDer<'_>],
        now: SystemTime,
    ) -> Result<(), webpki::Error> {
        let (leaf, intermediates) = chain.split_first().ok_or(webpki::Error::BadDer)?;
        self.verify(role, leaf, intermediates, clock::unix(now))
    }

    /// What handshake signatures are checked with.
    pub(crate) fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.algorithms
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust").field("roots", &self.anchors.len()).finish_non_exhaustive()
    }
}

/// What a peer is in the handshake: it needs the extended key usage of that role, if its certificate has
/// the extension at all (RFC 5280 section 4.2.1.12; SPIFFE X509-SVID says the same).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// A root that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadRoot {
    pub(crate) number: usize,
    pub(crate) detail: String,
}
