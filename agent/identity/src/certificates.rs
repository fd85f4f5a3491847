//! All certificates of this node's workloads.
//!
//! One task per identity fetches and renews; it is the only writer of that identity's state. Readers load
//! two pointers and wait for nobody, because every connection on every worker comes by here.

mod renew;
mod schedule;
mod slot;
mod state;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use weir_model::Identity;

use crate::revocation::Revocations;
use crate::tls::Context;
use crate::{CertificateAuthority, Config, IdentityError, WorkloadCertificate};
use renew::Renewals;
use slot::Slot;
pub use state::{CertificateState, Status};

/// Fetches, renews and hands out the certificates of a node's workloads.
///
/// Dropping it ends all renewals.
pub struct Certificates {
    renewals: Arc<Renewals>,
    runtime: Handle,
    slots: ArcSwap<HashMap<Identity, Arc<Slot>>>,
    /// Held while `slots` is replaced.
    writing: Mutex<()>,
    revocation_watch: Option<AbortHandle>,
}

impl Certificates {
    /// Certificates signed by `authority`. Renewals run on the runtime that this is called in: the control
    /// runtime, not a worker's.
    ///
    /// # Errors
    /// The revocation file of `config` cannot be used, or there is no runtime.
    pub fn new(authority: Arc<dyn CertificateAuthority>, config: Config) -> Result<Arc<Self>, IdentityError> {
        let runtime = Handle::try_current().map_err(|_| IdentityError::NoRuntime)?;
        let revocations = Arc::new(Revocations::open(config.crl.clone())?);
        let period = config.crl_poll;
        let revocation_watch = revocations
            .has_file()
            .then(|| runtime.spawn(renew::watch_revocations(revocations.clone(), period)).abort_handle());
        let context = Context::new(config.clock.clone(), revocations);
        Ok(Arc::new(Self {
            renewals: Arc::new(Renewals::new(authority, config, context)),
            runtime,
            slots: ArcSwap::default(),
            writing: Mutex::new(()),
            revocation_watch,
        }))
    }

    /// The certificate of `id`, which is asked for if it is not there yet. Any number of callers wait for the
    /// same request. From the first call on it is kept fresh until [`forget`](Self::forget).
    ///
    /// # Errors
    /// The first attempt failed, or a later one and there is no valid certificate. Attempts go on in the
    /// background; a call in between answers with the last failure at once.
    pub async fn fetch(&self, id: &Identity) -> Result<Arc<WorkloadCertificate>, IdentityError> {
        let slot = self.slot_or_start(id);
        slot.outcome(&*self.renewals.config.clock).await
    }

    /// The certificate of `id` as it is now. For each connection; does not lock.
    ///
    /// # Errors
    /// There is none that is valid, and why.
    pub fn current(&self, id: &Identity) -> Result<Arc<WorkloadCertificate>, IdentityError> {
        let slots = self.slots.load();
        let slot = slots.get(id).ok_or_else(|| IdentityError::NotFetched { identity: id.clone() })?;
        slot.current(self.renewals.config.clock.now())
    }

    /// Drops the certificate and key of `id` and stops renewing: the last pod with it left. Who knows which
    /// pod is the last is the caller, who must not fetch and forget one identity at the same time.
    pub fn forget(&self, id: &Identity) {
        let mut gone = None;
        self.write(|slots| gone = slots.remove(id));
        if let Some(slot) = gone {
            slot.close();
        }
    }

    /// All of them, in the order of their identities, for the config dump.
    pub fn snapshot(&self) -> Vec<CertificateState> {
        let now = self.renewals.config.clock.now();
        let slots = self.slots.load();
        let mut states: Vec<_> = slots.values().map(|slot| slot.describe(now)).collect();
        states.sort_by(|a, b| a.identity.cmp(&b.identity));
        states
    }

    /// Changes whenever another revocation list is in force: time to look at open connections again with
    /// [`WorkloadCertificate::check_client`] and [`WorkloadCertificate::check_server`].
    pub fn revocations(&self) -> watch::Receiver<u64> {
        self.renewals.context.revocations.subscribe()
    }

    fn slot_or_start(&self, id: &Identity) -> Arc<Slot> {
        if let Some(slot) = self.slots.load().get(id) {
            return slot.clone();
        }
        let mut found = None;
        self.write(|slots| {
            let slot = slots.entry(id.clone()).or_insert_with(|| self.start(id));
            found = Some(slot.clone());
        });
        found.unwrap_or_else(|| self.start(id))
    }

    fn start(&self, id: &Identity) -> Arc<Slot> {
        let slot = Arc::new(Slot::new(id.clone()));
        let task = self.runtime.spawn(self.renewals.clone().keep(slot.clone()));
        slot.set_task(task.abort_handle());
        slot
    }

    /// Identities come and go with pods, so copying the map is cheap next to what happens around it.
    fn write(&self, change: impl FnOnce(&mut HashMap<Identity, Arc<Slot>>)) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut slots = HashMap::clone(&self.slots.load());
        change(&mut slots);
        self.slots.store(Arc::new(slots));
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        self.slots.load().values().for_each(|slot| slot.close());
        if let Some(watch) = &self.revocation_watch {
            watch.abort();
        }
    }
}
