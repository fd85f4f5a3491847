//! The task of one identity: ask, publish, wait, ask again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Semaphore;
use weir_model::Identity;

use super::schedule;
use super::slot::Slot;
use crate::clock::text;
use crate::request::KeyAndRequest;
use crate::revocation::Revocations;
use crate::tls::Context;
use crate::{CertificateAuthority, Config, Failure, FetchError, WorkloadCertificate};

/// What all renewal tasks share.
pub(super) struct Renewals {
    authority: Arc<dyn CertificateAuthority>,
    pub(super) config: Config,
    pub(super) context: Context,
    requests: Semaphore,
    /// Taken before `requests` by those that have a certificate already.
    background: Semaphore,
}

impl Renewals {
    pub(super) fn new(authority: Arc<dyn CertificateAuthority>, config: Config, context: Context) -> Self {
        let requests = Semaphore::new(config.concurrency.max(1));
        let background = Semaphore::new((config.concurrency / 2).max(1));
        Self { authority, config, context, requests, background }
    }

    /// Keeps the slot's certificate fresh until the task is aborted.
    pub(super) async fn keep(self: Arc<Self>, slot: Arc<Slot>) {
        let mut attempts = 0;
        loop {
            // Read before the request: a change while it is under way must not be missed.
            let generation = self.authority.generation();
            match self.attempt(&slot).await {
                Ok(certificate) => {
                    attempts = 0;
                    let renew_at = self.publish(&slot, certificate);
                    self.wait_until(renew_at, generation).await;
                }
                Err(cause) => {
                    attempts += 1;
                    let delay = self.report(&slot, attempts, cause);
                    tokio::time::sleep(delay).await;
                }
            }
        }
    }

    async fn attempt(&self, slot: &Slot) -> Result<WorkloadCertificate, FetchError> {
        let is_renewal = slot.state.load().certificate.is_some();
        // Semaphores that nobody closes; without a permit the request is made all the same.
        let _background = match is_renewal {
            true => self.background.acquire().await.ok(),
            false => None,
        };
        let _request = self.requests.acquire().await.ok();
        self.issue(slot.identity.clone()).await
    }

    async fn issue(&self, identity: Identity) -> Result<WorkloadCertificate, FetchError> {
        let KeyAndRequest { key, csr_der } = KeyAndRequest::new(&identity)?;
        let after = self.config.attempt_timeout;
        let answer = self.authority.sign(csr_der, identity.clone(), self.config.lifetime);
        let answer = tokio::time::timeout(after, answer).await;
        let answer = answer.map_err(|_| FetchError::Timeout { after })??;
        Ok(WorkloadCertificate::new(identity, key, answer, &self.context)?)
    }

    fn publish(&self, slot: &Slot, certificate: WorkloadCertificate) -> SystemTime {
        let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
        let now = self.config.clock.now();
        let renew_at = schedule::renew_at(not_before, not_after, now, &self.config, random());
        tracing::info!(
            identity = %slot.identity, serial = certificate.serial(), not_after = text(not_after),
            renew_at = text(renew_at), "certificate issued"
        );
        slot.publish(Arc::new(certificate), renew_at);
        renew_at
    }

    fn report(&self, slot: &Slot, attempts: u32, cause: FetchError) -> Duration {
        let now = self.config.clock.now();
        let held = slot.state.load().certificate.clone();
        let left = held.as_ref().map(|held| held.not_after().duration_since(now).unwrap_or_default());
        let delay = schedule::retry_delay(attempts, &self.config.backoff, left, random());
        let failure = Failure { attempts, at: now, next: now + delay, cause: Arc::new(cause) };
        match held.filter(|held| now <= held.not_after()) {
            Some(held) => tracing::warn!(
                identity = %slot.identity, "certificate not renewed, the one valid until {} stays in use: {failure}",
                text(held.not_after())
            ),
            None => {
                tracing::error!(identity = %slot.identity, "no valid certificate, traffic is refused: {failure}")
            }
        }
        slot.fail(failure);
        delay
    }

    /// In short steps, because the wall clock may be set, the machine may sleep, and the authority may
    /// change its own certificates.
    async fn wait_until(&self, at: SystemTime, generation: u64) {
        while let Ok(left) = at.duration_since(self.config.clock.now()) {
            if left.is_zero() || self.authority.generation() != generation {
                return;
            }
            tokio::time::sleep(left.min(STEP)).await;
        }
    }
}

/// Looks at the revocation file now and then, for ever.
pub(super) async fn watch_revocations(revocations: Arc<Revocations>, period: Duration) {
    // A period of zero would take a core.
    let period = period.max(SHORTEST_PERIOD);
    loop {
        tokio::time::sleep(period).await;
        let file = revocations.clone();
        // A list may have megabytes.
        let refreshed = tokio::task::spawn_blocking(move || file.refresh()).await;
        match refreshed {
            Ok(Ok(true)) => tracing::info!("new revocation list in force"),
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(error)) => {
                tracing::error!("the revocation list that was read before stays in force: {error}")
            }
        }
    }
}

/// -1..=1, evenly.
fn random() -> f64 {
    rand::random_range(-1.0..=1.0)
}

const SHORTEST_PERIOD: Duration = Duration::from_millis(100);
/// Longest sleep towards a wall-clock time.
const STEP: Duration = Duration::from_secs(30);
