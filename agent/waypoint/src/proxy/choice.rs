//! Which endpoint a request goes to, and what comes of it: the balance's decisions with what the proxy needs around
//! them.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use weir_proto::l7;

use super::connect::{ConnectError, Target};
use super::pool::{Key, Lease, Limits, Open, Version};
use super::report::{Flags, Party};
use super::serve::Client;
use super::wire::Stream;
use super::worker::Worker;
use crate::route::BackendRef;

/// Where backends are found, as they are now.
pub trait Backends: Send + Sync {
    /// The endpoints of a service, of one of its ports, perhaps of one of its subsets.
    fn cluster(&self, backend: &BackendRef) -> Option<Arc<Cluster>>;
}

/// Endpoints and how to choose among them.
pub struct Cluster {
    id: u64,
    name: Arc<str>,
    protocol: l7::UpstreamProtocol,
    endpoints: Vec<(SocketAddr, Arc<l7::Endpoint>, Arc<Party>)>,
    next: AtomicUsize,
}

impl Cluster {
    /// Of a port of a service.
    pub fn new(
        name: &str,
        protocol: l7::UpstreamProtocol,
        endpoints: Vec<(SocketAddr, l7::Endpoint)>,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let party = |endpoint: &l7::Endpoint| {
            Arc::new(Party { workload: endpoint.workload.as_str().into(), ..Party::default() })
        };
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name: name.into(),
            protocol,
            endpoints: endpoints
                .into_iter()
                .map(|(a, e)| {
                    let p = party(&e);
                    (a, Arc::new(e), p)
                })
                .collect(),
            next: AtomicUsize::new(0),
        }
    }
}

/// An endpoint that was chosen, until the request is over.
pub(crate) struct Choice {
    cluster: Arc<Cluster>,
    place: usize,
    version: Version,
    source: Option<Arc<str>>,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoChoice {
    /// The route names what is not known.
    Unknown,
    NoEndpoints,
    #[allow(dead_code, reason = "the balance that has limits is next")]
    Overflow,
}

/// Chooses an endpoint for a request; without a head, for a connection.
pub(crate) fn choose(
    client: &Rc<Client>,
    backend: &BackendRef,
    request: Option<&Parts>,
    tried: &[SocketAddr],
) -> Result<Choice, NoChoice> {
    let cluster = client.worker.backends.cluster(backend).ok_or(NoChoice::Unknown)?;
    if cluster.endpoints.is_empty() {
        return Err(NoChoice::NoEndpoints);
    }
    let mut place = 0;
    for _ in 0..cluster.endpoints.len() {
        place = cluster.next.fetch_add(1, Ordering::Relaxed) % cluster.endpoints.len();
        if !tried.contains(&cluster.endpoints[place].0) {
            break;
        }
    }
    let version = match (cluster.protocol, request.map(|parts| parts.version)) {
        (l7::UpstreamProtocol::UpstreamHttp2, _)
        | (l7::UpstreamProtocol::Same, Some(http::Version::HTTP_2)) => Version::Http2,
        _ => Version::Http1,
    };
    Ok(Choice { cluster, place, version, source: client.arrival.source.identity.clone() })
}

impl Choice {
    pub(crate) fn address(&self) -> SocketAddr {
        self.cluster.endpoints[self.place].0
    }

    pub(crate) fn party(&self) -> &Arc<Party> {
        &self.cluster.endpoints[self.place].2
    }

    pub(crate) fn cluster_name(&self) -> &Arc<str> {
        &self.cluster.name
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Whether the request may change its protocol: HTTP/2 carries CONNECT, and nothing else.
    pub(crate) fn carry_upgrade(&mut self, method: &Method) -> bool {
        self.version == Version::Http1 || *method == Method::CONNECT
    }

    /// A connection for the request; a new one if `fresh`.
    pub(crate) async fn lease(&mut self, worker: &Rc<Worker>, fresh: bool) -> Result<Lease, ConnectError> {
        let key = Key { cluster: self.cluster.id, address: self.address(), version: self.version };
        let limits = Limits {
            connect: Duration::from_secs(10),
            idle: Some(Duration::from_secs(3600)),
            age: None,
            requests: None,
            streams: None,
            pings: None,
        };
        let open = || -> Open {
            let (worker, target) = (worker.clone(), self.target());
            Box::new(move || {
                Box::pin(async move {
                    Ok((worker.connector.connect(target).await?, Box::new(()) as super::connect::Permit))
                })
            })
        };
        if fresh {
            worker.pool.fresh(key, limits, open()).await
        } else {
            worker.pool.lease(key, limits, open).await
        }
    }

    /// A connection of its own.
    pub(crate) async fn connect(&mut self, worker: &Rc<Worker>) -> Result<Stream, ConnectError> {
        let limit = Duration::from_secs(10);
        let connecting = worker.connector.connect(self.target());
        tokio::time::timeout(limit, connecting).await.unwrap_or(Err(ConnectError::Timeout(limit)))
    }

    fn target(&self) -> Target {
        let (address, endpoint, _) = &self.cluster.endpoints[self.place];
        Target { address: *address, endpoint: endpoint.clone(), source: self.source.clone(), keepalive: None }
    }

    pub(crate) fn idle_time(&self) -> Option<Duration> {
        None
    }

    pub(crate) fn longest_life(&self) -> Option<Duration> {
        None
    }

    pub(crate) fn change_response(&mut self, _headers: &mut HeaderMap) {}

    pub(crate) fn responded(&mut self, _status: StatusCode) {}

    pub(crate) fn completed(self, _code: u16, _grpc_status: Option<u32>) {}

    pub(crate) fn broke_off(self, _by_backend: bool) {}

    pub(crate) fn timed_out(self) {}

    pub(crate) fn not_connected(self) {}

    pub(crate) fn carried(self, _well: bool) {}
}

impl NoChoice {
    pub(crate) fn flags(self) -> Flags {
        match self {
            Self::Unknown => Flags::NO_CLUSTER,
            Self::NoEndpoints => Flags::NO_HEALTHY_UPSTREAM,
            Self::Overflow => Flags::UPSTREAM_OVERFLOW,
        }
    }

    pub(crate) fn details(self) -> &'static str {
        match self {
            Self::Unknown => "cluster_not_found",
            Self::NoEndpoints => "no_healthy_upstream",
            Self::Overflow => "upstream_reset_before_response_started{overflow}",
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::NoEndpoints => "no healthy upstream",
            Self::Overflow => {
                "upstream connect error or disconnect/reset before headers. reset reason: overflow"
            }
        }
    }
}
