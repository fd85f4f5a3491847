//! One port of a backend: its endpoints, its limits and its settings.

mod members;
mod settings;
mod watch;

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use rand::Rng;
use weir_proto::l7;

pub(super) use self::settings::Settings;
use super::{
    affinity::HashKey,
    algorithm::Algorithm,
    breaker::{Breakers, Limit, Permit},
    context::{PickContext, PickError, Purpose},
    endpoint::Endpoint,
    locality::Own,
    picked::Picked,
    picture::Picture,
    pool::Wish,
};
use crate::route::{Rejection, RequestHead};
use crate::upstream::Tls;

/// One port, and perhaps one subset, of a backend; to be shared. Settings and endpoints change while it is in use.
#[derive(Debug)]
pub struct Cluster {
    picture: ArcSwap<Picture>,
    breakers: Arc<Breakers>,
    tls: ArcSwapOption<Tls>,
    unresolved: AtomicBool,
    retired: AtomicBool,
    /// Held by whoever makes a new picture: how many there were.
    pictures: Mutex<u64>,
    epoch: Instant,
    /// When outlier detection looks again, in nanoseconds after `epoch`.
    look_due: AtomicU64,
}

impl Cluster {
    /// Without endpoints yet.
    pub fn new(form: &l7::Cluster, own: &Own, now: Instant) -> Result<Cluster, Rejection> {
        let settings = Arc::new(Settings::compile(form, own)?);
        let due = settings.look_interval();
        Ok(Cluster {
            picture: ArcSwap::from_pointee(Picture::new(settings, Vec::new(), 0)),
            breakers: Arc::default(),
            tls: ArcSwapOption::empty(),
            unresolved: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            pictures: Mutex::new(1),
            epoch: now,
            look_due: AtomicU64::new(due),
        })
    }

    /// Other settings for what comes from now on. Endpoints and counts stay.
    pub fn reconfigure(&self, form: &l7::Cluster, own: &Own, now: Instant) -> Result<(), Rejection> {
        let settings = Arc::new(Settings::compile(form, own)?);
        let pictures = self.lock();
        let members = self.picture.load().members.clone();
        if settings.outlier.is_none() {
            for member in &members {
                member.known.record().forget();
                member.known.ejected.store(false, Ordering::Relaxed);
            }
        }
        let due = self.since_epoch(now).saturating_add(settings.look_interval());
        // Looks go on as they were planned, unless the new interval is shorter.
        self.look_due.fetch_min(due, Ordering::Relaxed);
        self.paint(pictures, settings, members);
        Ok(())
    }

    /// An endpoint for a request or a connection.
    pub fn pick(
        self: &Arc<Self>,
        now: Instant,
        random: &mut impl Rng,
        context: &PickContext<'_>,
    ) -> Result<Picked, PickError> {
        self.look(now);
        let picture = self.picture.load();
        let permits = self.admit(&picture.settings, context.purpose, now)?;
        let endpoint = match &picture.settings.algorithm {
            Algorithm::Passthrough => passthrough(&picture, context, now)?,
            algorithm => {
                let (warmup, hash, tried) = (picture.settings.warmup.as_ref(), context.hash, context.tried);
                let wish = Wish { algorithm, warmup, now, hash, tried };
                let elsewhere = context.remote_localities && !tried.is_empty();
                let chosen = picture.choose(&wish, elsewhere, random).ok_or_else(|| picture.why_nobody())?;
                Arc::clone(chosen)
            }
        };
        Ok(Picked::new(Arc::clone(self), endpoint, permits))
    }

    /// What decides where the request goes, if the cluster has affinity; the random number is the value of a new cookie.
    pub fn key(&self, request: &RequestHead<'_>, client: IpAddr, random: u128) -> HashKey {
        match &self.picture.load().settings.algorithm {
            Algorithm::ConsistentHash(affinity, _) => affinity.key(request, client, random),
            _ => HashKey::default(),
        }
    }

    /// The same of a connection.
    pub fn connection_key(&self, client: IpAddr) -> Option<u64> {
        match &self.picture.load().settings.algorithm {
            Algorithm::ConsistentHash(affinity, _) => affinity.connection_key(client),
            _ => None,
        }
    }

    /// One more connection to an endpoint, for HTTP; [`Purpose::Connection`] counts by itself.
    pub fn connection(&self) -> Result<Permit, Limit> {
        self.breakers.acquire(&self.picture.load().settings.limits, Limit::Connections)
    }

    /// One more request that waits for a connection.
    pub fn pending(&self) -> Result<Permit, Limit> {
        self.breakers.acquire(&self.picture.load().settings.limits, Limit::PendingRequests)
    }

    /// The counts, for metrics.
    pub fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    /// What the controller says of it: TLS, timeouts and the like.
    pub fn form(&self) -> Arc<l7::Cluster> {
        Arc::clone(&self.picture.load().settings.form)
    }

    /// The user's TLS, made by the form: who reads the form first and then this sees one that is as new. `None`: there is
    /// none, or it could not be made.
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.load_full()
    }

    /// Other TLS for connections from now on; [`Cluster::reconfigure`] has to follow.
    pub fn set_tls(&self, tls: Option<Arc<Tls>>) {
        self.tls.store(tls);
    }

    /// Whether endpoints are missing because their names lead nowhere.
    pub fn is_unresolved(&self) -> bool {
        self.unresolved.load(Ordering::Relaxed)
    }

    /// Whether endpoints are missing because their names lead nowhere.
    pub fn set_unresolved(&self, unresolved: bool) {
        self.unresolved.store(unresolved, Ordering::Relaxed);
    }

    /// Whether no route in force names it any more: connections to it are of no use beyond the request.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// Whether no route in force names it any more.
    pub fn set_retired(&self, retired: bool) {
        self.retired.store(retired, Ordering::Relaxed);
    }

    /// All endpoints, also those that do not serve.
    pub fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        self.picture.load().members.clone()
    }

    fn admit(
        &self,
        settings: &Settings,
        purpose: Purpose,
        now: Instant,
    ) -> Result<[Option<Permit>; 2], Limit> {
        let acquire = |limit| self.breakers.acquire(&settings.limits, limit);
        match (purpose, &settings.budget) {
            (Purpose::Connection, _) => Ok([Some(acquire(Limit::Connections)?), None]),
            (Purpose::Request, budget) => {
                let request = acquire(Limit::Requests)?;
                if let Some(budget) = budget {
                    budget.request(now);
                }
                Ok([Some(request), None])
            }
            (Purpose::Retry, budget) => {
                let count = |limit| self.breakers.count(limit);
                let (retries, requests) = (
                    count(Limit::Retries),
                    count(Limit::Requests).saturating_add(count(Limit::PendingRequests)),
                );
                let request = acquire(Limit::Requests)?;
                if budget.as_ref().is_some_and(|budget| !budget.retry(now, retries, requests)) {
                    return Err(Limit::RetryBudget);
                }
                Ok([Some(request), Some(acquire(Limit::Retries)?)])
            }
        }
    }

    /// Only who holds the lock makes pictures, each from the one before.
    fn paint(&self, mut pictures: MutexGuard<'_, u64>, settings: Arc<Settings>, members: Vec<Arc<Endpoint>>) {
        // Round robin does not begin with the same endpoint each time that something changes.
        let turn = pictures.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        *pictures += 1;
        self.picture.store(Arc::new(Picture::new(settings, members, turn)));
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.pictures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn since_epoch(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Picture {
    fn why_nobody(&self) -> PickError {
        if self.members.is_empty() { PickError::NoEndpoints } else { PickError::NoHealthy }
    }
}

/// The endpoint that the client dialled, or its mere address.
fn passthrough(
    picture: &Picture,
    context: &PickContext<'_>,
    now: Instant,
) -> Result<Arc<Endpoint>, PickError> {
    let address = context.original_destination.ok_or(PickError::NoOriginalDestination)?;
    let known = picture.members.iter().find(|member| member.has_address(address)).cloned();
    Ok(known.unwrap_or_else(|| Arc::new(Endpoint::unknown(address, now))))
}

#[cfg(test)]
mod tests;
