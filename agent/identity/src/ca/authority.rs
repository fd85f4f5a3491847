//! The CA of a control plane: kept in a store that replicas share, rotated by the one of them that leads.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use weir_model::Identity;

use super::issue::Issuer;
use super::load::issuer;
use super::rotation::Step;
use super::state::State;
use super::{
    AuthorityError, Material, MaterialStore, Phase, RotationPolicy, ServerCredentials, ServerNames, Stored,
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
                let made = State::new(Material::generate(now).map_err(super::FileError::from)?);
                if store.create(made.to_files()).await? {
                    tracing::info!(place = store.place(), "made a new self-signed CA");
                }
                let gone = || super::StoreError { place: store.place(), source: GONE.into() };
                store.load().await?.ok_or_else(gone)?
            }
        };
        let current = Current::read(&*store, stored, now)?;
        let changes = watch::Sender::new(current.generation());
        let current = ArcSwap::from_pointee(current);
        Ok(Self { shared: Arc::new(Shared { store, config, current, changes }) })
    }

    /// Keeps up with the store, and rotates the root when that is due and `leads` says that it is this replica's
    /// business. Never ends.
    pub async fn run(self, leads: impl Fn() -> bool + Send) {
        loop {
            tokio::time::sleep(self.shared.config.poll.max(SHORTEST_POLL)).await;
            let done = match leads() {
                true => self.advance().await.map(drop),
                false => self.refresh().await.map(drop),
            };
            if let Err(error) = done {
                tracing::error!("the CA that was read before stays in use: {error}");
            }
        }
    }

    /// Reads the store again. `true`: there is something else in it, which is in use now.
    ///
    /// # Errors
    /// As in opening; what was read before stays in use.
    pub async fn refresh(&self) -> Result<bool, AuthorityError> {
        let Shared { store, config, current, changes } = &*self.shared;
        let gone = || super::StoreError { place: store.place(), source: GONE.into() };
        let stored = store.load().await?.ok_or_else(gone)?;
        if stored.version == current.load().version {
            return Ok(false);
        }
        let read = Arc::new(Current::read(&**store, stored, config.clock.now())?);
        let generation = read.generation();
        tracing::info!(place = store.place(), phase = ?read.state.phase(), "another CA, or another phase of it, is in use");
        current.store(read);
        changes.send_if_modified(|known| std::mem::replace(known, generation) != generation);
        Ok(true)
    }

    /// Does the next step of a rotation if it is due. For the one replica that leads; if two do, one of them wins.
    ///
    /// # Errors
    /// As in [`refresh`](Self::refresh).
    pub async fn advance(&self) -> Result<Option<Phase>, AuthorityError> {
        self.refresh().await?;
        let current = self.shared.current.load_full();
        let AuthorityConfig { rotation, poll, clock } = &self.shared.config;
        // Another replica signs as before until it has looked at the store again.
        let rotation = RotationPolicy { overlap: rotation.overlap + *poll * 2, ..*rotation };
        let due = rotation.due(current.state.phase(), current.issuer.validity(), clock.now());
        match due {
            // The user's own CA is the user's to replace.
            Some(step) if current.issuer.is_root() || step != Step::Announce => {
                self.step(&current, step).await
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Begins a rotation now.
    ///
    /// # Errors
    /// The CA is the user's intermediate, or a rotation is under way already.
    pub async fn rotate(&self) -> Result<Option<Phase>, AuthorityError> {
        self.refresh().await?;
        let current = self.shared.current.load_full();
        let refused = |detail| Err(AuthorityError::Rotation { place: self.place(), detail });
        if !current.issuer.is_root() {
            return refused("it is an intermediate of somebody's own CA, who must sign another one");
        }
        if current.state.phase() != Phase::Stable {
            return refused("a rotation is under way already");
        }
        self.step(&current, Step::Announce).await
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

    async fn step(&self, current: &Current, step: Step) -> Result<Option<Phase>, AuthorityError> {
        let Shared { store, config, .. } = &*self.shared;
        let now = config.clock.now();
        let state = current.state.clone().after(step, now).map_err(super::FileError::from)?;
        // Nothing is kept that could not be opened again.
        check(&state, store.place().into(), now)?;
        let won = store.replace(state.to_files(), current.version.clone()).await?;
        self.refresh().await?;
        if won {
            tracing::warn!(place = store.place(), phase = ?state.phase(), "the rotation of the root went on");
        }
        Ok(won.then(|| state.phase()))
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

const SHORTEST_POLL: Duration = Duration::from_millis(100);
const GONE: &str = "there was a CA, and now there is none; was it deleted?";
