//! One port of a backend: its endpoints, its limits and its settings.

mod settings;

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use rand::Rng;
use weir_proto::l7;

pub(super) use self::settings::Settings;
use super::{
    affinity::HashKey,
    algorithm::Algorithm,
    breaker::{Breakers, Limit, Permit},
    endpoint::Endpoint,
    locality::Own,
    outlier::Outcome,
    picked::Picked,
    picture::Picture,
    pool::Wish,
};
use crate::route::{Rejection, RequestHead, Within as _};

/// One port, and perhaps one subset, of a backend; to be shared. Settings and endpoints change while it is in use.
#[derive(Debug)]
pub struct Cluster {
    picture: ArcSwap<Picture>,
    breakers: Arc<Breakers>,
    /// Held by whoever makes a new picture: how many there were.
    pictures: Mutex<u64>,
    epoch: Instant,
    /// When outlier detection looks again, in nanoseconds after `epoch`.
    look_due: AtomicU64,
}

/// What a choice depends on.
#[derive(Debug, Clone, Copy, Default)]
pub struct PickContext<'a> {
    /// What is to be sent.
    pub purpose: Purpose,
    /// From [`Cluster::key`]; `None`: anywhere.
    pub hash: Option<u64>,
    /// The address that the client dialled, for passthrough.
    pub original_destination: Option<SocketAddr>,
    /// Endpoints to stay away from: those of earlier tries.
    pub tried: &'a [Arc<Endpoint>],
    /// `Retry::remote_localities`: stay away from the levels of those, too.
    pub remote_localities: bool,
}

/// What is sent, and which limits hold for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// A request for the first time.
    #[default]
    Request,
    /// A request again.
    Retry,
    /// A connection whose requests nobody reads.
    Connection,
}

/// Why there is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PickError {
    /// The cluster has none.
    #[error("no endpoints")]
    NoEndpoints,
    /// All of them are unhealthy or ejected.
    #[error("no healthy endpoints")]
    NoHealthy,
    /// Passthrough, and it is not known where to.
    #[error("the address that the client dialled is not known")]
    NoOriginalDestination,
    /// One of the cluster's limits.
    #[error(transparent)]
    Overflow(#[from] Limit),
}

impl Cluster {
    /// Without endpoints yet.
    pub fn new(form: &l7::Cluster, own: &Own, now: Instant) -> Result<Cluster, Rejection> {
        let settings = Arc::new(Settings::compile(form, own)?);
        let due = settings.look_interval();
        Ok(Cluster {
            picture: ArcSwap::from_pointee(Picture::new(settings, Vec::new(), 0)),
            breakers: Arc::default(),
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

    /// The endpoints of the backend; those that are not of this port and subset are passed over. Of those that stay,
    /// everything that is known stays. What is no endpoint is left out and told.
    pub fn update<'e>(
        &self,
        endpoints: impl IntoIterator<Item = &'e l7::Endpoint>,
        now: Instant,
    ) -> Vec<Rejection> {
        let pictures = self.lock();
        let picture = self.picture.load_full();
        let old: HashMap<&str, &Arc<Endpoint>> =
            picture.members.iter().map(|member| (member.key(), member)).collect();
        let mut seen = HashMap::new();
        let (mut members, mut rejections) = (Vec::new(), Vec::new());
        for (n, form) in endpoints.into_iter().enumerate() {
            match picture.settings.compile_endpoint(form, now) {
                Err(rejection) => {
                    let at: Result<(), _> = Err(rejection);
                    rejections.extend(at.within(&format!("endpoints[{n}]")).err());
                }
                // Twice the same is once the same.
                Ok(Some(new)) if seen.insert(Arc::<str>::from(new.key()), ()).is_none() => {
                    members.push(match old.get(new.key()) {
                        Some(old) if old.is_same(&new) => Arc::clone(old),
                        Some(old) => Arc::new(new.succeeding(old)),
                        None => Arc::new(new),
                    });
                }
                Ok(_) => {}
            }
        }
        let pairs = picture.members.iter().zip(&members);
        if picture.members.len() != members.len() || !pairs.into_iter().all(|(a, b)| Arc::ptr_eq(a, b)) {
            self.paint(pictures, Arc::clone(&picture.settings), members);
        }
        rejections
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
                let (retries, requests) =
                    (count(Limit::Retries), count(Limit::Requests) + count(Limit::PendingRequests));
                let request = acquire(Limit::Requests)?;
                if budget.as_ref().is_some_and(|budget| !budget.retry(now, retries, requests)) {
                    return Err(Limit::RetryBudget);
                }
                Ok([Some(request), Some(acquire(Limit::Retries)?)])
            }
        }
    }

    /// Counts an outcome, and ejects an endpoint for it.
    pub(super) fn note(&self, endpoint: &Arc<Endpoint>, now: Instant, outcome: Outcome) {
        self.look(now);
        let settings = Arc::clone(&self.picture.load().settings);
        let Some(outlier) = &settings.outlier else { return };
        let known = &endpoint.known;
        if !known.record().note(outlier, outcome) {
            return;
        }
        let pictures = self.lock();
        let picture = self.picture.load_full();
        let ejected = picture.members.iter().filter(|member| member.is_ejected()).count();
        let is_member = picture.members.iter().any(|member| Arc::ptr_eq(&member.known, known));
        let may = is_member && !endpoint.is_ejected() && outlier.may_eject(ejected, picture.members.len());
        if may {
            known.record().eject(outlier, now);
            known.ejected.store(true, Ordering::Relaxed);
            self.paint(pictures, Arc::clone(&picture.settings), picture.members.clone());
        }
    }

    /// Brings back whose time is over, if it is time to look.
    fn look(&self, now: Instant) {
        let since = self.since_epoch(now);
        if since < self.look_due.load(Ordering::Relaxed) {
            return;
        }
        let pictures = self.lock();
        let due = self.look_due.load(Ordering::Relaxed);
        let picture = self.picture.load_full();
        let interval = picture.settings.look_interval();
        if since < due || interval == u64::MAX {
            return;
        }
        self.look_due.store(since.saturating_add(interval), Ordering::Relaxed);
        let intervals = u32::try_from((since - due) / interval).unwrap_or(u32::MAX).saturating_add(1);
        let mut changed = false;
        for member in &picture.members {
            if member.known.record().look(now, intervals) {
                member.known.ejected.store(false, Ordering::Relaxed);
                changed = true;
            }
        }
        if changed {
            self.paint(pictures, Arc::clone(&picture.settings), picture.members.clone());
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
