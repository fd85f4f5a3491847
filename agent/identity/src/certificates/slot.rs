//! What is known of one identity's certificate.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use weir_model::Identity;

use crate::{Clock, Failure, IdentityError, WorkloadCertificate};

/// The place of one identity. Its task writes, everybody reads.
pub(super) struct Slot {
    pub(super) identity: Identity,
    pub(super) state: ArcSwap<State>,
    /// Told after each change of `state`.
    changed: watch::Sender<()>,
    task: OnceLock<AbortHandle>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) certificate: Option<Arc<WorkloadCertificate>>,
    /// Of the attempts since the certificate came.
    pub(super) failure: Option<Failure>,
    pub(super) renew_at: Option<SystemTime>,
    forgotten: bool,
}

impl Slot {
    pub(super) fn new(identity: Identity) -> Self {
        Self { identity, state: ArcSwap::default(), changed: watch::Sender::new(()), task: OnceLock::new() }
    }

    /// The certificate if there is one that is valid at `now`.
    pub(super) fn current(&self, now: SystemTime) -> Result<Arc<WorkloadCertificate>, IdentityError> {
        let state = self.state.load();
        match &state.certificate {
            Some(certificate) if now <= certificate.not_after() => Ok(certificate.clone()),
            _ => Err(self.absence(&state)),
        }
    }

    /// Waits until there is a certificate or a failure to report.
    pub(super) async fn outcome(&self, clock: &dyn Clock) -> Result<Arc<WorkloadCertificate>, IdentityError> {
        // Subscribed before the first look, so no change is missed.
        let mut changed = self.changed.subscribe();
        loop {
            match self.current(clock.now()) {
                Err(IdentityError::Pending { .. } | IdentityError::Expired { failure: None, .. }) => {}
                outcome => return outcome,
            }
            // An error needs the sender gone, and this slot holds it.
            let _ = changed.changed().await;
        }
    }

    /// A new certificate, to be renewed at `renew_at`.
    pub(super) fn publish(&self, certificate: Arc<WorkloadCertificate>, renew_at: SystemTime) {
        self.change(State { certificate: Some(certificate), renew_at: Some(renew_at), ..State::default() });
    }

    /// A failed attempt. The certificate stays, for as long as it is valid.
    pub(super) fn fail(&self, failure: Failure) {
        let certificate = self.state.load().certificate.clone();
        self.change(State { certificate, failure: Some(failure), ..State::default() });
    }

    pub(super) fn set_task(&self, task: AbortHandle) {
        // Set once, right after the slot is made.
        let _ = self.task.set(task);
    }

    /// Ends the task and drops the key.
    pub(super) fn close(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
        self.change(State { forgotten: true, ..State::default() });
    }

    fn change(&self, state: State) {
        // A task that is being aborted may still finish its step; what is closed stays closed.
        self.state.rcu(|before| match before.forgotten {
            true => before.clone(),
            false => Arc::new(state.clone()),
        });
        self.changed.send_replace(());
    }

    fn absence(&self, state: &State) -> IdentityError {
        let identity = self.identity.clone();
        let failure = state.failure.clone();
        match (&state.certificate, failure) {
            _ if state.forgotten => IdentityError::Forgotten { identity },
            (Some(old), failure) => IdentityError::Expired { identity, not_after: old.not_after(), failure },
            (None, Some(failure)) => IdentityError::Unavailable { identity, failure },
            (None, None) => IdentityError::Pending { identity },
        }
    }
}
