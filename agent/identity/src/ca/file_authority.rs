//! A certificate authority in a directory, read whenever it changed.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use weir_model::Identity;

use super::issue::Issuer;
use super::{FILES, FileError, create, load};
use crate::stamp::stamp;
use crate::{CaError, CertificateAuthority, Clock, SignFuture, SignedChain};

/// Signs with the CA in a directory.
#[derive(Clone)]
pub struct FileAuthority {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    dir: PathBuf,
    clock: Arc<dyn Clock>,
    loaded: Mutex<Loaded>,
}

struct Loaded {
    generation: u64,
    issuer: Arc<Issuer>,
}

impl FileAuthority {
    /// Opens the CA in `dir`. If the directory is not there or empty, a self-signed CA is made in it; of any
    /// number of processes that do so at once, exactly one makes it and the others open that one.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn open_or_create(dir: impl AsRef<Path>) -> Result<Self, FileError> {
        Self::open_or_create_at(dir, Arc::new(SystemTime::now))
    }

    /// The same at another time.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn open_or_create_at(dir: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Self, FileError> {
        let dir = dir.as_ref().to_owned();
        create::create_if_absent(&dir, clock.now())?;
        let generation = generation(&dir);
        let issuer = Arc::new(load::load(&dir, clock.now())?);
        let loaded = Mutex::new(Loaded { generation, issuer });
        Ok(Self { shared: Arc::new(Shared { dir, clock, loaded }) })
    }
}

impl CertificateAuthority for FileAuthority {
    fn sign(&self, csr_der: Vec<u8>, identity: Identity, lifetime: Duration) -> SignFuture<'_> {
        let shared = self.shared.clone();
        Box::pin(async move {
            // Files are read, and an RSA signature takes milliseconds.
            let signing = {
                let identity = identity.clone();
                let shared = shared.clone();
                tokio::task::spawn_blocking(move || shared.sign(&csr_der, &identity, lifetime))
            };
            let unavailable = |source| CaError::Unavailable { authority: shared.name(), identity, source };
            signing.await.map_err(|error| unavailable(error.into()))?
        })
    }

    fn generation(&self) -> u64 {
        generation(&self.shared.dir)
    }
}

impl Shared {
    pub(super) fn sign(
        &self,
        csr_der: &[u8],
        identity: &Identity,
        lifetime: Duration,
    ) -> Result<SignedChain, CaError> {
        let issuer = self.issuer();
        let issued = issuer.issue(csr_der, identity, lifetime, self.clock.now());
        issued.map_err(|error| error.of(self.name(), identity.clone()))
    }

    /// The CA as the files are now; as they were, if they are being changed or do not fit together.
    pub(super) fn issuer(&self) -> Arc<Issuer> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = generation(&self.dir);
        if generation != loaded.generation {
            match load::load(&self.dir, self.clock.now()) {
                Ok(issuer) => {
                    tracing::info!(dir = %self.dir.display(), "CA files changed and are in use");
                    loaded.issuer = Arc::new(issuer);
                }
                Err(error) => tracing::error!("the CA that was read before stays in use: {error}"),
            }
            loaded.generation = generation;
        }
        loaded.issuer.clone()
    }

    fn name(&self) -> String {
        self.dir.display().to_string()
    }
}

/// Other whenever one of the files is another one.
fn generation(dir: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    for name in FILES {
        stamp(&dir.join(name)).hash(&mut hasher);
    }
    hasher.finish()
}
