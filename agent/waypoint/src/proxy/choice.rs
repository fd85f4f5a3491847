//! Which endpoint a request goes to, and what came of it: the balance's decisions with what the proxy needs around them.

mod none;
mod opening;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::time::Instant;

use super::clusters::Terms;
use super::connect::{ConnectError, Target};
use super::pool::{Key, Lease, LeaseError, Open, Version};
use super::report::Party;
use super::serve::Client;
use super::wire::Stream;
use super::worker::Worker;
use crate::balance::{Address, Cluster, Endpoint, Outcome, PickContext, Picked, Purpose};
use crate::route::{BackendRef, RequestHead, authority, grpc};
pub(crate) use none::NoChoice;
use opening::{Opening, Secure};

/// Where backends are found, as they are now.
pub trait Backends: Send + Sync {
    /// The endpoints of a service's port, perhaps of one of its subsets.
    fn cluster(&self, backend: &BackendRef) -> Option<Arc<Cluster>>;
}

/// What is wanted of an endpoint, beside its backend.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wish<'a> {
    /// `None`: a connection whose requests nobody reads.
    pub(crate) request: Option<&'a Parts>,
    /// Endpoints of earlier tries.
    pub(crate) tried: &'a [Arc<Endpoint>],
    pub(crate) is_retry: bool,
    pub(crate) remote_localities: bool,
    /// Of the request: a new cookie is the same in all tries.
    pub(crate) random: u128,
}

/// An endpoint that was chosen, until the request is over.
pub(crate) struct Choice {
    cluster: Arc<Cluster>,
    terms: Rc<Terms>,
    /// As whom the server has to prove itself, in TLS.
    server: Option<Arc<str>>,
    is_http: bool,
    picked: Picked,
    party: Arc<Party>,
    version: Version,
    client: SocketAddr,
    destination: SocketAddr,
    source: Option<Arc<str>>,
    cookie: Option<HeaderValue>,
    /// Whether the response is gRPC's, whose result comes at its end.
    awaits_grpc: bool,
    told: bool,
}

/// Chooses an endpoint.
pub(crate) fn choose(client: &Rc<Client>, backend: &BackendRef, wish: Wish<'_>) -> Result<Choice, NoChoice> {
    let worker = &client.worker;
    let cluster = worker.backends.cluster(backend).ok_or(NoChoice::Unknown)?;
    let terms = worker.clusters.terms(&cluster, backend, &worker.pool);
    if terms.refusal().is_some() {
        return Err(NoChoice::Refused);
    }
    let server = server(&terms, backend, wish.request)?;
    let (address, destination) = (client.arrival.client, client.arrival.destination);
    let (hash, cookie) = match wish.request {
        Some(parts) => {
            let key = cluster.key(&RequestHead::of(parts, "http"), address.ip(), wish.random);
            (key.hash, key.cookie)
        }
        None => (cluster.connection_key(address.ip()), None),
    };
    let purpose = match wish.request {
        None => Purpose::Connection,
        Some(_) if wish.is_retry => Purpose::Retry,
        Some(_) => Purpose::Request,
    };
    let context = PickContext {
        purpose,
        hash,
        original_destination: Some(destination),
        tried: wish.tried,
        remote_localities: wish.remote_localities,
    };
    let picked = worker.with_random(|random| cluster.pick(now(), random, &context));
    let picked = picked.map_err(|error| match NoChoice::from(error) {
        NoChoice::NoEndpoints if cluster.is_unresolved() => NoChoice::Unresolved,
        none => none,
    })?;
    Ok(Choice {
        party: worker.clusters.party(picked.endpoint()),
        version: terms.version(wish.request.map(|parts| parts.version)),
        cluster,
        terms,
        server,
        is_http: wish.request.is_some(),
        picked,
        client: address,
        destination,
        source: client.arrival.source.identity.clone(),
        cookie,
        awaits_grpc: wish.request.is_some_and(|parts| grpc::is_grpc(&parts.headers)),
        told: false,
    })
}

/// The name that the server of a cluster with TLS must have.
fn server(
    terms: &Terms,
    backend: &BackendRef,
    request: Option<&Parts>,
) -> Result<Option<Arc<str>>, NoChoice> {
    let Some(tls) = &terms.tls else { return Ok(None) };
    let authority = request.and_then(|parts| authority(parts).parse::<http::uri::Authority>().ok());
    let hostname = backend.resource.split_once('/').map_or(&*backend.resource, |(_, hostname)| hostname);
    let server = tls.server(authority.as_ref().map(|authority| authority.host()), hostname);
    server.map(|server| Some(server.into())).ok_or(NoChoice::Nameless)
}

impl Choice {
    /// What a request to the endpoint says that it came by.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.terms.tls.is_some() { "https" } else { "http" }
    }

    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        self.picked.endpoint()
    }

    pub(crate) fn address(&self) -> &Address {
        self.picked.endpoint().address()
    }

    pub(crate) fn party(&self) -> &Arc<Party> {
        &self.party
    }

    pub(crate) fn cluster_name(&self) -> &Arc<str> {
        &self.terms.name
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// HTTP/2 does not carry the request: what would go by it only because the client does can go by HTTP/1.
    pub(crate) fn turn_to_http1(&mut self) -> bool {
        let may = self.terms.version(None) == Version::Http1;
        if may {
            self.version = Version::Http1;
        }
        may
    }

    /// A connection for the request; a new one if `fresh`.
    pub(crate) async fn lease(&self, worker: &Rc<Worker>, fresh: bool) -> Result<Lease, LeaseError> {
        let key = Key {
            terms: self.terms.id,
            server: self.server.clone(),
            address: self.address().clone(),
            version: self.version,
            // Who is introduced by name cannot share.
            client: (self.terms.form.proxy_protocol > 0).then_some(self.client),
            // A tunnel says for whom it is.
            source: self.source.clone().filter(|_| self.endpoint().form().tunnel),
        };
        let open = || -> Open {
            let (worker, opening) = (worker.clone(), self.opening());
            Box::new(move || Box::pin(async move { opening.open(&worker).await }))
        };
        worker.pool.lease(key, &self.cluster, &self.terms.limits, fresh, open).await
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self, worker: &Rc<Worker>) -> Result<Stream, ConnectError> {
        let limit = self.terms.limits.connect;
        let opened = tokio::time::timeout(limit, self.opening().open(worker)).await;
        opened.unwrap_or(Err(ConnectError::Timeout(limit)))
    }

    fn opening(&self) -> Opening {
        let target = Target {
            endpoint: self.endpoint().clone(),
            cluster: self.terms.form.clone(),
            source: self.source.clone(),
            keepalive: self.terms.keepalive,
        };
        let alpn = self.terms.alpn(self.is_http, self.version);
        let tls = self.terms.tls.clone().zip(self.server.clone());
        let secure = tls.map(|(tls, server)| Secure { tls, server, alpn });
        Opening { target, client: self.client, destination: self.destination, secure }
    }

    pub(crate) fn idle_time(&self) -> Option<Duration> {
        self.terms.limits.idle
    }

    pub(crate) fn longest_life(&self) -> Option<Duration> {
        self.terms.limits.age
    }

    /// Has the client come back to the same endpoint.
    pub(crate) fn change_response(&mut self, headers: &mut HeaderMap) {
        if let Some(cookie) = self.cookie.take() {
            headers.append(header::SET_COOKIE, cookie);
        }
    }

    /// The head of a response has come.
    pub(crate) fn responded(&mut self, status: StatusCode, headers: &HeaderMap) {
        match grpc::status_of(headers).filter(|_| self.awaits_grpc) {
            Some(code) => self.tell(Outcome::Grpc(code)),
            None if self.awaits_grpc && status == StatusCode::OK => {}
            None => self.tell(Outcome::Status(status)),
        }
    }

    /// The response is over.
    pub(crate) fn completed(mut self, grpc_status: Option<u32>) {
        if self.awaits_grpc {
            self.tell(grpc_status.map_or(Outcome::Status(StatusCode::OK), Outcome::Grpc));
        }
    }

    /// It ended before its end, and not because of us or the client.
    pub(crate) fn failed(mut self) {
        self.tell(Outcome::LocalFailure);
    }

    fn tell(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.told, true) {
            self.picked.done(now(), outcome);
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
