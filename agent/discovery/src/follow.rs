//! Streams to the control plane, one after another: connect, send the first requests, give what comes in to whoever
//! knows what it means, send what it answers, and when it is over wait and begin again.
//!
//! What is asked for and what becomes of it is a [`Subscriber`]'s business, whose state survives every stream. What was
//! learned stays in force while there is no control plane.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::time::Instant;
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use crate::channel::ControlChannel;

mod backoff;
mod metrics;
mod status;
mod stream;

pub(crate) use backoff::Backoff;
pub use metrics::Metrics;
pub use status::{Report, Status};
#[cfg(test)]
pub(crate) use stream::FIRST_ANSWER;

/// Who asks on the streams.
pub(crate) trait Subscriber: Send + Sync {
    /// The requests that begin a stream.
    fn open(&mut self) -> Vec<DeltaDiscoveryRequest>;

    /// Takes a response. Gives what to send: the answer, and then what else is to be asked for now. An answer without a
    /// nonce ends the stream.
    fn take(
        &mut self,
        response: DeltaDiscoveryResponse,
    ) -> impl Future<Output = Vec<DeltaDiscoveryRequest>> + Send;

    /// Whether each type that was asked for was answered on this stream.
    fn is_answered(&self) -> bool;

    /// Something else has come to be wanted that no response was the reason for. Dropped, it loses nothing.
    fn woken(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// What is to be asked for then.
    fn ask(&mut self) -> Vec<DeltaDiscoveryRequest> {
        Vec::new()
    }
}

/// Who follows the control plane.
pub(crate) struct Follower<S> {
    pub(crate) channel: ControlChannel,
    pub(crate) status: Arc<Status>,
    pub(crate) metrics: Metrics,
    pub(crate) subscriber: S,
}

impl<S: Subscriber> Follower<S> {
    /// Follows it until it is dropped.
    pub(crate) async fn run(mut self) -> Infallible {
        let mut backoff = Backoff::new();
        let mut said = String::new();
        loop {
            let begun = Instant::now();
            let ended = self.stream().await;
            self.metrics.terminated(ended.reason);
            if ended.healthy && begun.elapsed() >= backoff::USEFUL {
                backoff.reset();
            }
            let wait = backoff.next(rand::random());
            let address = self.channel.address();
            let problem = ended.problem.unwrap_or_else(|| "the control plane ended the stream".into());
            // An absence of an hour is one line, not two hundred.
            if problem == said {
                tracing::debug!(%address, ?wait, "discovery: {problem}");
            } else {
                tracing::warn!(%address, ?wait, "discovery: {problem}; what is known stays in force");
                said.clone_from(&problem);
            }
            self.status.lost(problem);
            tokio::time::sleep(wait).await;
        }
    }
}

/// Says in the log what was refused of a response, but not without end: the answer and the config dump have more.
pub(crate) fn complain(type_url: &str, refused: &[String]) {
    for refused in refused.iter().take(SAID) {
        tracing::error!(%type_url, "refused: {refused}");
    }
}

const SAID: usize = 20;
