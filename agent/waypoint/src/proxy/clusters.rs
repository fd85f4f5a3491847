//! What a worker knows of clusters and endpoints by heart, so that it need not be worked out for each request.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;
use weir_proto::l7;

use super::connect::Keepalive;
use super::pool::{Limits, Pool, Version};
use super::report::Party;
use crate::balance::{Cluster, Endpoint};
use crate::route::{BackendRef, duration, limit};
use crate::upstream::{Alpn, Tls};

/// Of one worker. What is gone is forgotten when there is twice as much as there was; clusters, whose connections are
/// closed then, also with the next that comes.
#[derive(Default)]
pub(crate) struct Clusters {
    terms: RefCell<ByPlace<Cluster, Rc<Terms>>>,
    swept: Cell<Option<Instant>>,
    parties: RefCell<ByPlace<Endpoint, Arc<Party>>>,
    next: Cell<u64>,
}

/// On which terms a cluster's endpoints are connected to.
pub(crate) struct Terms {
    /// Connections of one number are alike: it changes with what a connection depends on, and with nothing else.
    pub(crate) id: u64,
    /// As Envoy's users know it.
    pub(crate) name: Arc<str>,
    pub(crate) form: Arc<l7::Cluster>,
    pub(crate) limits: Limits,
    pub(crate) keepalive: Option<Keepalive>,
    /// The user's TLS.
    pub(crate) tls: Option<Arc<Tls>>,
}

impl Clusters {
    /// Connections on terms that do not hold any more are closed as soon as nobody uses them.
    pub(crate) fn terms(&self, cluster: &Arc<Cluster>, backend: &BackendRef, pool: &Pool) -> Rc<Terms> {
        let form = cluster.form();
        let mut known = self.terms.borrow_mut();
        let before = known.get(&Arc::as_ptr(cluster)).map(|(_, terms)| terms.clone());
        if let Some(terms) = &before
            && Arc::ptr_eq(&terms.form, &form)
        {
            return terms.clone();
        }
        let tls = cluster.tls();
        let kept = before.as_ref().filter(|before| before.suits(&form, tls.as_ref())).map(|before| before.id);
        let id = kept.unwrap_or_else(|| self.next.replace(self.next.get() + 1));
        if let Some(before) = before.filter(|before| before.id != id) {
            pool.retire(before.id);
        }
        let terms = Rc::new(Terms { tls, ..Terms::new(id, backend, form) });
        self.sweep(&mut known, pool);
        known.insert(Arc::as_ptr(cluster), (Arc::downgrade(cluster), terms.clone()));
        terms
    }

    /// Closes what nobody uses of connections to clusters that are gone or going: a change of subsets leaves none behind.
    fn sweep(&self, known: &mut ByPlace<Cluster, Rc<Terms>>, pool: &Pool) {
        let now = Instant::now();
        let was_swept = self.swept.get().is_some_and(|at| now.duration_since(at) < SWEEP);
        if was_swept && known.len() < known.capacity() {
            return;
        }
        self.swept.set(Some(now));
        known.retain(|_, (cluster, terms)| {
            let stays = cluster.upgrade().is_some_and(|cluster| !cluster.is_retired());
            if !stays {
                pool.retire(terms.id);
            }
            stays
        });
    }

    pub(crate) fn party(&self, endpoint: &Arc<Endpoint>) -> Arc<Party> {
        let mut known = self.parties.borrow_mut();
        if let Some((_, party)) = known.get(&Arc::as_ptr(endpoint)) {
            return party.clone();
        }
        let party = Arc::new(Party::of(endpoint.form()));
        forget_gone(&mut known);
        known.insert(Arc::as_ptr(endpoint), (Arc::downgrade(endpoint), party.clone()));
        party
    }
}

/// By the place in memory: the weak reference keeps it from being another's as long as it is in the map.
type ByPlace<T, V> = HashMap<*const T, (Weak<T>, V)>;

fn forget_gone<T, V>(known: &mut ByPlace<T, V>) {
    if known.len() == known.capacity() {
        known.retain(|_, (weak, _)| weak.strong_count() > 0);
    }
}

impl Terms {
    fn new(id: u64, backend: &BackendRef, form: Arc<l7::Cluster>) -> Self {
        let hostname = backend.resource.split_once('/').map_or(&*backend.resource, |(_, hostname)| hostname);
        let name = format!("outbound|{}|{}|{hostname}", backend.port, backend.subset);
        let pool = form.connection_pool.unwrap_or_default();
        let keepalive = pool.tcp_keepalive.as_ref().map(keepalive);
        Self { id, name: name.into(), limits: limits(&pool), keepalive, form, tls: None }
    }

    /// A connection by these terms is one by those.
    fn suits(&self, form: &l7::Cluster, tls: Option<&Arc<Tls>>) -> bool {
        let of = |form: &l7::Cluster| (form.connection_pool, form.tls.clone(), form.proxy_protocol);
        of(&self.form) == of(form) && self.tls.as_ref().map(Arc::as_ptr) == tls.map(Arc::as_ptr)
    }

    /// Why nothing may be sent, if nothing may.
    pub(crate) fn refusal(&self) -> Option<&str> {
        let wants_tls = matches!(
            self.form.tls.as_ref().map(l7::UpstreamTls::mode),
            Some(l7::TlsMode::Simple | l7::TlsMode::Mutual)
        );
        match (&*self.form.refused, wants_tls, &self.tls) {
            ("", true, None) => Some("the TLS that it asks for cannot be made"),
            ("", ..) => None,
            (why, ..) => Some(why),
        }
    }

    /// What is offered in TLS.
    pub(crate) fn alpn(&self, is_http: bool, version: Version) -> Alpn {
        match (is_http, version) {
            (false, _) => Alpn::Unknown,
            (true, Version::Http1) => Alpn::Http1,
            (true, Version::Http2) => Alpn::Http2,
        }
    }

    /// What is spoken to the endpoint, if the client speaks this.
    pub(crate) fn version(&self, client: Option<http::Version>) -> Version {
        match (self.form.protocol(), client) {
            (l7::UpstreamProtocol::UpstreamHttp2, _) => Version::Http2,
            (l7::UpstreamProtocol::Same, Some(http::Version::HTTP_2)) => Version::Http2,
            (l7::UpstreamProtocol::Same | l7::UpstreamProtocol::UpstreamHttp1, _) => Version::Http1,
        }
    }
}

fn limits(pool: &l7::ConnectionPool) -> Limits {
    let some = |number: u32| Some(number).filter(|number| *number > 0);
    let time = |field, value| {
        // The controller has checked them; one that is not a time is as good as none, but not without a word.
        limit(field, value).unwrap_or_else(|error| {
            warn!(%error, "a limit of a connection pool is no time: it is left out");
            None
        })
    };
    let pings = pool.http2_keepalive.as_ref();
    Limits {
        connect: time("connect_timeout", pool.connect_timeout.as_ref()).unwrap_or(CONNECT),
        idle: match &pool.idle_timeout {
            // Zero is none, which is not what is meant if nothing is said.
            Some(given) => time("idle_timeout", Some(given)),
            None => Some(IDLE),
        },
        age: time("max_connection_duration", pool.max_connection_duration.as_ref()),
        requests: some(pool.max_requests_per_connection),
        streams: some(pool.max_concurrent_streams),
        pings: pings.and_then(|pings| {
            let interval = time("interval", pings.interval.as_ref())?;
            Some((interval, time("timeout", pings.timeout.as_ref()).unwrap_or(PATIENCE)))
        }),
    }
}

fn keepalive(form: &l7::TcpKeepalive) -> Keepalive {
    let time = |form: &Option<prost_types::Duration>| form.as_ref().and_then(|form| duration(form).ok());
    Keepalive {
        probes: Some(form.probes).filter(|probes| *probes > 0),
        time: time(&form.time),
        interval: time(&form.interval),
    }
}

/// Between two looks for clusters that are gone: each costs as much as there are clusters.
const SWEEP: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(20);
