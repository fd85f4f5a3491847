//! The coat of a session: a task that reads one stream and writes it.
//!
//! A response is made when there is room for it, so what waits for a slow client is what its session remembers, and no
//! request is read while responses wait: a client that asks and does not listen fills its own window.

use std::net::IpAddr;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use tonic::{Status, Streaming};
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use super::session::Session;
use super::{Refusal, XdsConfig, XdsMetrics};
use crate::connections::Registration;
use crate::store::{Head, Store};
use crate::turns::Turns;

/// All that one stream holds.
pub(super) struct Stream {
    pub(super) session: Session,
    pub(super) store: Store,
    pub(super) head: watch::Receiver<Head>,
    pub(super) requests: Streaming<DeltaDiscoveryRequest>,
    pub(super) responses: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
    pub(super) address: Option<IpAddr>,
    pub(super) config: XdsConfig,
    pub(super) metrics: XdsMetrics,
    pub(super) registration: Registration,
    /// When the oldest change that the client may not have been sent was published.
    pub(super) behind_since: Option<Instant>,
    /// For first responses.
    pub(super) firsts: Turns,
    /// While one is on its way.
    pub(super) first: Option<oneshot::Sender<()>>,
}

/// How a stream ends.
enum End {
    /// The client went.
    Gone,
    /// We end it.
    Refused(Refusal),
    /// A message could not be read: it is too large, or none.
    Unreadable(Status),
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Stream {
    /// Serves the stream until one of both ends goes.
    pub(super) async fn run(mut self, greetings: Turns) {
        self.metrics.streams.inc();
        let status = match self.serve(&greetings).await {
            Ok(()) | Err(End::Gone) => None,
            Err(End::Refused(refusal)) => Some(Status::from(refusal)),
            // Of a connection that broke there is nobody left to tell.
            Err(End::Unreadable(status)) => (!self.responses.is_closed()).then_some(status),
        };
        if let Some(status) = status {
            let (stream, node) = (self.registration.stream, self.session.node_id());
            tracing::info!(stream, node, "xDS stream ended: {}", status.message());
            self.metrics.end(status.code().description());
            // There is no room for it if the client does not read.
            let _ = self.responses.try_send(Err(status));
        }
        self.metrics.streams.dec();
    }

    async fn serve(&mut self, greetings: &Turns) -> Result<(), End> {
        self.greet(greetings).await?;
        loop {
            self.drain().await?;
            self.registration.update(|info| info.types = self.session.types());
            self.wait().await?;
        }
    }

    /// Reads the first request, which may be large: not those of all clients at a time.
    async fn greet(&mut self, greetings: &Turns) -> Result<(), End> {
        let turn = tokio::select! {
            turn = greetings.turn(self.address) => turn,
            () = self.responses.closed() => return Err(End::Gone),
        };
        let first = timeout(self.config.greeting_timeout, self.requests.message()).await;
        self.take(first.map_err(|_| Refusal::Silent)?)?;
        drop(turn);
        self.registration.update(|info| self.session.node_id().clone_into(&mut info.node));
        tracing::info!(stream = self.registration.stream, node = self.session.node_id(), "xDS stream opened");
        Ok(())
    }

    /// Sends until the client has been sent everything.
    async fn drain(&mut self) -> Result<(), End> {
        let mut sent = false;
        loop {
            let room = timeout(self.config.stall, self.responses.reserve()).await;
            let room = room.map_err(|_| Refusal::Stalled)?.map_err(|_| End::Gone)?;
            if self.first.is_none() && self.session.owes_first() {
                self.first = Some(tokio::select! {
                    turn = self.firsts.lent(self.address, self.config.first_timeout) => turn,
                    () = self.responses.closed() => return Err(End::Gone),
                });
            }
            let Some(push) = self.session.next(&self.store.current())? else { break };
            self.metrics.push(push.label, push.bytes);
            room.send(Ok(push.response));
            sent = true;
        }
        if let Some(since) = self.behind_since.take().filter(|_| sent) {
            self.metrics.caught_up(since.elapsed());
        }
        Ok(())
    }

    /// Waits for a request, a change, or the end of patience.
    async fn wait(&mut self) -> Result<(), End> {
        tokio::select! {
            changed = self.head.changed() => {
                if changed.is_err() || self.head.borrow_and_update().closed {
                    return Err(Refusal::Closing.into());
                }
                self.behind_since = Some(self.store.current().at);
            }
            message = self.requests.message() => self.take(message)?,
            () = sleep(self.config.policies_first), if self.session.waits() => self.session.wait_no_longer(),
            () = self.responses.closed() => return Err(End::Gone),
        }
        Ok(())
    }

    fn take(&mut self, message: Result<Option<DeltaDiscoveryRequest>, Status>) -> Result<(), End> {
        // A stream that ends in order is opened again at once, by ztunnel, with the same request.
        let request = message.map_err(End::Unreadable)?.ok_or(End::Gone)?;
        if let Some(nack) = self.session.request(&request, &self.store.current())? {
            self.metrics.nack(nack.label);
            let (stream, node) = (self.registration.stream, self.session.node_id());
            tracing::warn!(stream, node, kind = nack.label, "client refused a response: {}", nack.reason);
        }
        if self.session.is_taken() {
            self.first = None;
        }
        Ok(())
    }
}
