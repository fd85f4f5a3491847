//! One workload's certificate and the TLS configurations made of it.

mod answer;
mod summary;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ServerConfig};
use weir_model::Identity;

use crate::peer::{PeerError, peer_identity};
use crate::tls::{Context, check_expected, check_trust_domain, expecting, reason};
use crate::trust::{Role, Trust};
use crate::{Clock, SignedChain};
pub use answer::AnswerError;
pub use summary::{CertificateSummary, pem};

/// A certificate with its key, the roots that came with it, and the configurations made of them.
///
/// It never changes: a renewal makes another one. Configurations that connections hold stay as they were.
pub struct WorkloadCertificate {
    identity: Identity,
    chain: Vec<CertificateDer<'static>>,
    roots: Vec<CertificateDer<'static>>,
    leaf: CertificateSummary,
    trust: Arc<Trust>,
    clock: Arc<dyn Clock>,
    server: Arc<ServerConfig>,
    client: ClientConfig,
    clients: ArcSwap<ClientConfigs>,
}

type ClientConfigs = imbl::HashMap<Arc<[Identity]>, Arc<ClientConfig>>;

impl WorkloadCertificate {
    /// Makes one of an authority's answer, if the answer can be used.
    pub(crate) fn new(
        identity: Identity,
        key: PrivateKeyDer<'static>,
        answer: SignedChain,
        context: &Context,
    ) -> Result<Self, AnswerError> {
        let checked = answer::check(&identity, key, answer, context)?;
        let (key, trust) = (checked.key, checked.trust);
        let server = context.server(&identity, key.clone(), trust.clone())?;
        let client = context.client(key, trust.clone())?;
        Ok(Self {
            identity,
            chain: checked.chain,
            roots: checked.roots,
            leaf: checked.leaf,
            trust,
            clock: context.clock.clone(),
            server: Arc::new(server),
            client,
            clients: ArcSwap::default(),
        })
    }

    /// Whose it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The configuration for accepting: the client must have a certificate of the same trust domain.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.server.clone()
    }

    /// The configuration for dialling: the server must be one of `expected`; with an empty set every
    /// handshake is refused. Made once per set; later calls neither allocate nor lock.
    pub fn client_config(&self, expected: &[Identity]) -> Arc<ClientConfig> {
        if let Some(config) = self.clients.load().get(expected) {
            return config.clone();
        }
        self.make_client_config(expected.into())
    }

    /// Verifies a client's chain as a handshake would now: for connections that were there before a
    /// revocation list was.
    ///
    /// # Errors
    /// Why such a client would be refused.
    pub fn check_client(&self, chain: &[CertificateDer<'_>]) -> Result<Identity, PeerError> {
        let peer = self.check_peer(Role::Client, chain)?;
        check_trust_domain(peer, &self.identity.trust_domain().into())
    }

    /// Verifies a server's chain as a handshake would now.
    ///
    /// # Errors
    /// Why such a server would be refused.
    pub fn check_server(
        &self,
        chain: &[CertificateDer<'_>],
        expected: &[Identity],
    ) -> Result<Identity, PeerError> {
        let peer = self.check_peer(Role::Server, chain)?;
        check_expected(peer, expected)
    }

    /// The certificate and its intermediates, as they are presented.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// What the chains of peers must lead to.
    pub fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// The serial number, in hexadecimal.
    pub fn serial(&self) -> &str {
        &self.leaf.serial
    }

    /// Begin of the validity.
    pub fn not_before(&self) -> SystemTime {
        self.leaf.not_before
    }

    /// End of the validity; this instant is still in it.
    pub fn not_after(&self) -> SystemTime {
        self.leaf.not_after
    }

    fn check_peer(&self, role: Role, chain: &[CertificateDer<'_>]) -> Result<Identity, PeerError> {
        let peer = peer_identity(chain)?;
        let verified = self.trust.verify_chain(role, chain, self.clock.now());
        verified.map_err(|error| PeerError::Chain { reason: reason(error) })?;
        Ok(peer)
    }

    /// Two workers may make the same one at once; both are good, one stays.
    fn make_client_config(&self, expected: Arc<[Identity]>) -> Arc<ClientConfig> {
        let config = Arc::new(expecting(&self.client, self.trust.clone(), expected.clone()));
        self.clients.rcu(|known| match known.len() < MAX_CLIENT_CONFIGS {
            true => known.update(expected.clone(), config.clone()),
            // Sets come and go with services; forgetting them all now and then bounds the memory.
            false => ClientConfigs::unit(expected.clone(), config.clone()),
        });
        config
    }
}

impl fmt::Debug for WorkloadCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkloadCertificate")
            .field("identity", &self.identity)
            .field("serial", &self.leaf.serial)
            .field("not_after", &crate::clock::text(self.leaf.not_after))
            .finish_non_exhaustive()
    }
}

/// Most sets of expected identities that configurations are kept for.
const MAX_CLIENT_CONFIGS: usize = 4096;
