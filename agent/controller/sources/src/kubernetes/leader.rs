//! Which replica writes: one Lease.

mod claim;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::error::call;
use super::{ApiError, Cluster, FIELD_MANAGER};
use claim::{Claim, Step};

/// Names and times of an election.
#[derive(Debug, Clone)]
pub struct LeaderConfig {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Who we are; no other replica, and no earlier life of this one, has this name.
    pub identity: String,
    /// How long a holder that is not heard of is waited for.
    pub duration: Duration,
    /// How long the holder goes on when it cannot renew; shorter than `duration`.
    pub deadline: Duration,
    /// How often is tried.
    pub retry: Duration,
}

impl LeaderConfig {
    /// The usual times: 15 s, 10 s, 2 s.
    #[must_use]
    pub fn new(namespace: &str, name: &str, identity: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            identity: identity.to_owned(),
            duration: Duration::from_secs(15),
            deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// Takes part in an election.
pub struct LeaderElection {
    leases: Api<Lease>,
    config: LeaderConfig,
    leading: watch::Sender<bool>,
}

impl LeaderElection {
    /// Nothing happens before [`LeaderElection::run`].
    #[must_use]
    pub fn new(cluster: &Cluster, config: LeaderConfig) -> Self {
        let leases = Api::namespaced(cluster.client.clone(), &config.namespace);
        Self { leases, config, leading: watch::Sender::new(false) }
    }

    /// Whether we are the one.
    #[must_use]
    pub fn leading(&self) -> watch::Receiver<bool> {
        self.leading.subscribe()
    }

    /// Takes part until `stop`; then gives the Lease back, so that the next one need not wait.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut claim = Claim::new(&self.config);
        tokio::select! {
            () = self.take_part(&mut claim) => {}
            () = stop => {}
        }
        let led = self.leading.send_replace(false);
        if led && let Err(error) = self.release().await {
            tracing::info!("the lease is not given back, the next one waits for it: {error}");
        }
    }

    async fn take_part(&self, claim: &mut Claim) {
        let mut said = None;
        loop {
            // A call that hangs must not outlive what we promised to the others.
            let limit = claim.remaining(Instant::now()).unwrap_or(self.config.deadline);
            let problem = match timeout(limit, self.round(claim)).await {
                Ok(tried) => tried.err().map(|error| error.to_string()),
                Err(_) => Some(format!("no answer within {limit:?}")),
            };
            let now = Instant::now();
            self.tell(problem, &mut said, now);
            let leads = claim.leads(now);
            if self.leading.send_if_modified(|was| std::mem::replace(was, leads) != leads) {
                tracing::info!(lease = %self.config.name, identity = %self.config.identity, leads, "election");
            }
            let pause = claim.remaining(now).map_or(self.config.retry, |left| left.min(self.config.retry));
            sleep(pause).await;
        }
    }

    /// Tells of a problem when it begins, then once a minute, and when it is over.
    fn tell(&self, problem: Option<String>, said: &mut Option<Instant>, now: Instant) {
        let lease = &self.config.name;
        match problem {
            Some(problem) if said.is_none_or(|said| now.duration_since(said) >= TELL_AGAIN) => {
                tracing::warn!(%lease, "no turn in the election: {problem}");
                *said = Some(now);
            }
            None if said.take().is_some() => tracing::info!(%lease, "in the election again"),
            Some(_) | None => {}
        }
    }

    /// Looks at the Lease once, and takes or renews it if it is ours to take.
    async fn round(&self, claim: &mut Claim) -> Result<(), ApiError> {
        let name = &self.config.name;
        let found = call("reading the lease", self.leases.get_opt(name)).await?;
        let spec = found.as_ref().and_then(|lease| lease.spec.as_ref());
        let began = Instant::now();
        let step = claim.look(began, found.is_some(), spec);
        let written = match (step, found) {
            (Step::Wait, _) => return Ok(()),
            (Step::Take | Step::Renew, None) => {
                let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
                let lease = Lease { metadata, spec: Some(self.spec(None, true)) };
                call("making the lease", self.leases.create(&params(), &lease)).await
            }
            (step, Some(mut lease)) => {
                lease.spec = Some(self.spec(lease.spec.as_ref(), step == Step::Take));
                // With the version that was read: of two that try, one gets 409.
                call("taking the lease", self.leases.replace(name, &params(), &lease)).await
            }
        };
        match written {
            Ok(_) => claim.written(began),
            Err(error) if error.is_conflict() => claim.lost(),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn release(&self) -> Result<(), ApiError> {
        let found = call("reading the lease", self.leases.get_opt(&self.config.name)).await?;
        let Some(mut lease) = found else { return Ok(()) };
        let Some(spec) = lease.spec.as_mut() else { return Ok(()) };
        if spec.holder_identity.as_deref() != Some(&self.config.identity) {
            return Ok(());
        }
        spec.holder_identity = None;
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        call("giving the lease back", self.leases.replace(&self.config.name, &params(), &lease))
            .await
            .map(drop)
    }

    fn spec(&self, before: Option<&LeaseSpec>, take: bool) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let mut spec = before.cloned().unwrap_or_default();
        if take {
            spec.lease_transitions = Some(before.map_or(0, |b| b.lease_transitions.unwrap_or_default() + 1));
            spec.acquire_time = Some(now.clone());
        }
        spec.holder_identity = Some(self.config.identity.clone());
        spec.lease_duration_seconds = i32::try_from(self.config.duration.as_secs().max(1)).ok();
        spec.renew_time = Some(now);
        spec
    }
}

const TELL_AGAIN: Duration = Duration::from_secs(60);

fn params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}
