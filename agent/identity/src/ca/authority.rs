//! The CA of a control plane: kept in a store that replicas share, rotated by the one of them that leads.

mod replicas;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use weir_model::Identity;

use super::issue::Issuer;
use super::load::issuer;
use super::state::State;
use super::{
    AuthorityError, FileError, Material, MaterialStore, Phase, RotationPolicy, ServerCredentials,
    ServerNames, StoreError, Stored,
};
use crate::{CaError, CertificateAuthority, Clock, SignFuture};

/// Signs with the CA in a store. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct CaAuthority {
    shared: Arc<Shared>,
}

/// What can be set about a [`CaAuthority`].
#[derive(Clone)]
pub struct AuthorityConfig {
    /// When the root changes.
    pub rotation: RotationPolicy,
    /// How often the store is looked at. Each phase of a rotation lasts two of these longer than the policy says, so
    /// that replicas that look late are covered.
    pub poll: Duration,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

impl Default for AuthorityConfig {
    fn default() -> Self {
        Self {
            rotation: RotationPolicy::default(),
            poll: Duration::from_secs(10),
            clock: Arc::new(SystemTime::now),
        }
    }
}

struct Shared {
    store: Arc<dyn MaterialStore>,
    config: AuthorityConfig,
    current: ArcSwap<Current>,
    changes: watch::Sender<u64>,
}

/// The CA as it was last read.
struct Current {
    state: State,
    version: String,
    issuer: Arc<Issuer>,
}

impl CaAuthority {
    /// The CA in `store`. If there is none, a self-signed one is made; of any number of replicas that do so at once
    /// exactly one makes it.
    ///
    /// # Errors
    /// The store does not work, or what is in it cannot be used.
    pub async fn open_or_create(
        store: Arc<dyn MaterialStore>,
        config: AuthorityConfig,
    ) -> Result<Self, AuthorityError> {
        let now = config.clock.now();
        let stored = match store.load().await? {
            Some(stored) => stored,
            None => {
                let made = State::new(Material::generate(now).map_err(FileError::from)?);
                if store.create(made.to_files()).await? {
                    tracing::info!(place = store.place(), "made a new self-signed CA");
                }
                store.load().await?.ok_or_else(|| gone(store.place()))?
            }
        };
        let current = Current::read(&*store, stored, now)?;
        let changes = watch::Sender::new(current.generation());
        let current = ArcSwap::from_pointee(current);
        Ok(Self { shared: Arc::new(Shared { store, config, current, changes }) })
    }

    /// Another CA is in force, or others are trusted, whenever this changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Where the rotation stands.
    pub fn phase(&self) -> Phase {
        self.shared.current.load().state.phase()
    }

    /// What everybody is to trust, in PEM.
    pub fn roots_pem(&self) -> String {
        self.shared.current.load().state.material.root_cert.clone()
    }

    /// A new key and certificate for a server of the control plane.
    ///
    /// # Errors
    /// The CA expired, or a name is none.
    pub fn server_credentials(
        &self,
        names: &ServerNames,
        lifetime: Duration,
    ) -> Result<ServerCredentials, AuthorityError> {
        let issuer = self.shared.current.load().issuer.clone();
        let issued = issuer.issue_server(names, lifetime, self.shared.config.clock.now());
        issued.map_err(|error| AuthorityError::Server { place: self.place(), source: error.into_source() })
    }

    fn place(&self) -> String {
        self.shared.store.place()
    }
}

impl CertificateAuthority for CaAuthority {
    fn sign(&self, csr_der: Vec<u8>, identity: Identity, lifetime: Duration) -> SignFuture<'_> {
        Box::pin(async move {
            let (issuer, now) = (self.shared.current.load().issuer.clone(), self.shared.config.clock.now());
            let whom = identity.clone();
            // An RSA signature takes milliseconds.
            let signing =
                tokio::task::spawn_blocking(move || issuer.issue(&csr_der, &identity, lifetime, now));
            match signing.await {
                Ok(issued) => issued.map_err(|error| error.of(self.place(), whom)),
                Err(error) => Err(CaError::Unavailable {
                    authority: self.place(),
                    identity: whom,
                    source: error.into(),
                }),
            }
        })
    }

    fn generation(&self) -> u64 {
        *self.shared.changes.borrow()
    }
}

impl Current {
    fn read(store: &dyn MaterialStore, stored: Stored, now: SystemTime) -> Result<Self, AuthorityError> {
        let place = PathBuf::from(store.place());
        let state = State::from_files(&stored.files, &place)?;
        let issuer = Arc::new(check(&state, place, now)?);
        Ok(Self { state, version: stored.version, issuer })
    }

    fn generation(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let Material { ca_cert, root_cert, .. } = &self.state.material;
        (ca_cert, root_cert).hash(&mut hasher);
        hasher.finish()
    }
}

/// The CA that signs, if it and the one that comes after it can.
fn check(state: &State, place: PathBuf, now: SystemTime) -> Result<Issuer, AuthorityError> {
    if let Some(next) = state.next() {
        issuer(&next, &place, now).map_err(|source| AuthorityError::Next { source })?;
    }
    Ok(issuer(&state.material, &place, now)?)
}

fn gone(place: String) -> StoreError {
    StoreError { place, source: "there was a CA, and now there is none; was it deleted?".into() }
}
