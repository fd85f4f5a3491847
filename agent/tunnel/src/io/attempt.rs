//! A connection that is being made, and what a DestinationRule says of that: how long it may take, and whom its failure is told of.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use weir_model::{Keepalive, Terms, Workload};

use super::context::Context;
use super::flow::Line;
use super::tcp;
use crate::TunnelError;

/// From the choice of the endpoint until its application has taken the connection, or not. Empty, if no rule speaks of it: then each
/// step has the limits of the configuration.
pub(crate) struct Attempt(Option<Box<Inner>>);

struct Inner {
    terms: Terms,
    /// uid of the endpoint; `None`: nobody chose.
    endpoint: Option<Arc<str>>,
    since: Instant,
}

impl Attempt {
    /// Begins one, and counts the connection for as long as `line` lives.
    ///
    /// # Errors
    /// The rule allows no more connections.
    pub(crate) fn begin(
        context: &Context,
        line: &mut Line,
        terms: Option<Terms>,
        endpoint: Option<&Workload>,
    ) -> Result<Self, TunnelError> {
        let Some(terms) = terms else { return Ok(Self(None)) };
        line.permit = context.shared().limits.admit(&terms)?;
        let endpoint = endpoint.map(|workload| workload.uid.clone());
        Ok(Self(Some(Box::new(Inner { terms, endpoint, since: Instant::now() }))))
    }

    /// One of which no rule speaks.
    pub(crate) fn free() -> Self {
        Self(None)
    }

    /// What the rule allows for all of it.
    pub(crate) fn limit(&self) -> Option<Duration> {
        self.0.as_ref()?.terms.policy.connect_timeout
    }

    /// Of the sockets towards the endpoint.
    pub(crate) fn keepalive(&self) -> Option<Keepalive> {
        self.0.as_ref()?.terms.policy.keepalive
    }

    /// Waits for a part of it as long as the rule allows.
    ///
    /// # Errors
    /// The part's own, or that it is too late.
    pub(crate) async fn within<T>(
        &self,
        addr: SocketAddr,
        part: impl Future<Output = Result<T, TunnelError>>,
    ) -> Result<T, TunnelError> {
        match self.deadline() {
            None => part.await,
            Some(deadline) => timeout_at(deadline, part).await.unwrap_or_else(|_| Err(self.late(addr))),
        }
    }

    /// What a single step may take that has `limit` if no rule speaks: where one does, all of it is in time or not.
    pub(crate) fn step(&self, limit: Duration) -> Duration {
        self.limit().map_or(limit, |whole| whole + SLACK)
    }

    /// Waits for the endpoint's own answer, which may take `limit` if no rule speaks.
    ///
    /// # Errors
    /// That it is too late.
    pub(crate) async fn answer<T>(
        &self,
        addr: SocketAddr,
        limit: Duration,
        answer: impl Future<Output = T>,
    ) -> Result<T, TunnelError> {
        match self.deadline() {
            None => timeout(limit, answer).await.map_err(|_| TunnelError::NoAnswer { addr, limit }),
            Some(deadline) => timeout_at(deadline, answer).await.map_err(|_| self.late(addr)),
        }
    }

    /// Does to a socket towards the endpoint what the rule says.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn prepare(&self, socket: &TcpStream, addr: SocketAddr) -> Result<(), TunnelError> {
        let Some(keepalive) = self.keepalive() else { return Ok(()) };
        tcp::keep_alive(SockRef::from(socket), &keepalive)
            .map_err(|source| TunnelError::Connect { addr, source })
    }

    /// Tells the endpoint's record how it went.
    pub(crate) fn note(&self, context: &Context, result: Result<(), &TunnelError>) {
        let Some(Inner { terms, endpoint: Some(endpoint), .. }) = self.0.as_deref() else { return };
        let shared = context.shared();
        match result {
            Ok(()) => shared.limits.succeeded(terms, endpoint),
            Err(error) if error.blames_endpoint() => {
                let now = Instant::now().into_std();
                let left_out = shared.limits.failed(terms, endpoint, &context.directory(), now);
                let Some(time) = left_out else { return };
                shared.metrics.eject(&terms.service);
                let (service, port, rule) = (&terms.service.key, terms.port, &terms.policy.origin);
                tracing::info!(%service, port, %endpoint, ?time, %rule, %error, "endpoint left out");
            }
            // Policy, the client, or this node: another endpoint would have fared no better.
            Err(_) => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let inner = self.0.as_ref()?;
        inner.since.checked_add(inner.terms.policy.connect_timeout?)
    }

    fn late(&self, addr: SocketAddr) -> TunnelError {
        let origin = self.0.as_ref().map(|inner| inner.terms.policy.origin.clone()).unwrap_or_default();
        TunnelError::ConnectTimeout { addr, limit: self.limit().unwrap_or_default(), origin }
    }
}

/// What a step has beyond the time of all of it: the attempt is over before, and says by which rule.
pub(super) const SLACK: Duration = Duration::from_secs(1);
