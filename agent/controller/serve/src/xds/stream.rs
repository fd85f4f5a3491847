//! The coat of a session: a task that reads one stream and writes it.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{sleep, timeout};
use tonic::{Status, Streaming};
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use super::session::Session;
use super::{Refusal, XdsConfig, XdsMetrics};
use crate::connections::Registration;
use crate::store::{Head, Store};

/// All that one stream holds.
pub(super) struct Stream {
    pub(super) session: Session,
    pub(super) store: Store,
    pub(super) head: watch::Receiver<Head>,
    pub(super) requests: Streaming<DeltaDiscoveryRequest>,
    pub(super) responses: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
    pub(super) config: XdsConfig,
    pub(super) metrics: XdsMetrics,
    pub(super) registration: Registration,
    /// When the oldest change that the client has not been sent was published.
    pub(super) behind_since: Option<Instant>,
}

/// How a stream ended.
enum End {
    /// The client went.
    Gone,
    /// We ended it.
    Refused(Refusal),
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Stream {
    /// Serves the stream until one of both ends goes.
    pub(super) async fn run(mut self, greetings: impl Future<Output = Option<OwnedSemaphorePermit>> + Send) {
        self.metrics.streams.inc();
        let (metrics, stream) = (self.metrics.clone(), self.registration.stream);
        if let End::Refused(refusal) = self.serve(greetings).await {
            let node = self.session.node_id();
            tracing::info!(stream, node, "xDS stream ended: {refusal}");
            let status = Status::from(refusal);
            metrics.end(status.code().description());
            // A client that reads nothing is not told.
            let _ = self.responses.try_send(Err(status));
        }
        metrics.streams.dec();
    }

    async fn serve(&mut self, greetings: impl Future<Output = Option<OwnedSemaphorePermit>> + Send) -> End {
        match self.greet(greetings).await {
            Err(end) | Ok(end @ Some(End::Gone)) if false => unreachable_end(end),
            Err(end) => return end,
            Ok(_) => {}
        }
        loop {
            if let Err(end) = self.drain().await {
                return end;
            }
            if let Err(end) = self.wait().await {
                return end;
            }
        }
    }
}

fn unreachable_end(_: impl Sized) -> End {
    End::Gone
}
