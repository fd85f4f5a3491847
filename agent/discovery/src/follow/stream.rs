//! One stream, from the connection to its end.

use std::error::Error;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::Streaming;
use tonic::{Code, Status};
use weir_proto::discovery::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use super::metrics::{Open, Reason};
use super::{Follower, Subscriber};

/// How a stream ended.
pub(super) struct Ended {
    pub(super) reason: Reason,
    /// What to tell people; `None`: the control plane ended it in order.
    pub(super) problem: Option<String>,
    /// It was of use, and nothing says that the next will not be.
    pub(super) healthy: bool,
}

impl<S: Subscriber> Follower<S> {
    /// Follows one stream to its end.
    pub(super) async fn stream(&mut self) -> Ended {
        let channel = match self.channel.connect().await {
            Ok(channel) => channel,
            Err(error) => {
                let problem = Some(explain(&error));
                return Ended { reason: Reason::ConnectionError, problem, healthy: false };
            }
        };
        let mut service =
            AggregatedDiscoveryServiceClient::with_interceptor(channel, self.channel.credentials())
                .max_decoding_message_size(MOST_DECODED);
        let (requests, queue) = mpsc::channel(QUEUE);
        for request in self.subscriber.open() {
            // There is room for them.
            let _ = requests.try_send(request);
        }
        let deadline = Instant::now() + FIRST_ANSWER;
        let call = service.delta_aggregated_resources(ReceiverStream::new(queue));
        match timeout_at(deadline, call).await {
            Ok(Ok(response)) => {
                self.status.connected();
                let _open = Open::count(&self.metrics);
                tracing::info!(address = self.channel.address(), "discovery: stream open");
                self.follow(response.into_inner(), requests, deadline).await
            }
            Ok(Err(status)) => self.failed(&status),
            Err(_) => silent(),
        }
    }

    async fn follow(
        &mut self,
        mut responses: Streaming<DeltaDiscoveryResponse>,
        requests: mpsc::Sender<DeltaDiscoveryRequest>,
        mut deadline: Instant,
    ) -> Ended {
        loop {
            let was_answered = self.subscriber.is_answered();
            let next = async {
                match was_answered {
                    true => Ok(responses.message().await),
                    false => timeout_at(deadline, responses.message()).await,
                }
            };
            let next = tokio::select! {
                biased;
                next = next => Some(next),
                () = self.subscriber.woken() => None,
            };
            let sent = match next {
                Some(Ok(Ok(Some(response)))) => {
                    self.metrics.message(&response);
                    let sent = self.subscriber.take(response).await;
                    if sent.first().is_none_or(|answer| answer.response_nonce.is_empty()) {
                        return broken("the control plane sent a response without a nonce".into());
                    }
                    sent
                }
                Some(Ok(Ok(None))) => return self.complete(),
                Some(Ok(Err(status))) => return self.failed(&status),
                Some(Err(_)) => return silent(),
                None => self.subscriber.ask(),
            };
            // What is asked for anew has its own time.
            if was_answered {
                deadline = Instant::now() + FIRST_ANSWER;
            }
            for request in sent {
                match timeout(STALLED, requests.send(request)).await {
                    Ok(Ok(())) => {}
                    // The reason comes with the next message.
                    Ok(Err(_)) => {}
                    Err(_) => return broken(format!("the control plane has read nothing for {STALLED:?}")),
                }
            }
        }
    }

    fn complete(&self) -> Ended {
        Ended { reason: Reason::Complete, problem: None, healthy: self.subscriber.is_answered() }
    }

    fn failed(&self, status: &Status) -> Ended {
        use Code::{Aborted, Cancelled, DeadlineExceeded, Internal, Unavailable, Unknown};
        // A connection that broke; what any other code says will still be so in a moment.
        let broke = matches!(
            status.code(),
            Unknown | Cancelled | DeadlineExceeded | Unavailable | Internal | Aborted
        );
        let healthy = broke && self.subscriber.is_answered();
        let reason = if healthy { Reason::Reconnect } else { Reason::Error };
        let mut problem = format!("the control plane says {:?}: {}", status.code(), status.message());
        if let Some(cause) = status.source() {
            problem = format!("{problem}: {}", explain(cause));
        }
        Ended { reason, problem: Some(problem), healthy }
    }
}

fn silent() -> Ended {
    broken(format!("the control plane did not answer within {FIRST_ANSWER:?}"))
}

fn broken(problem: String) -> Ended {
    Ended { reason: Reason::Error, problem: Some(problem), healthy: false }
}

/// An error with its causes: the outermost of the HTTP layers says "transport error".
fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// A first answer of a very large mesh; what istiod's clients allow.
const MOST_DECODED: usize = 200 << 20;
/// Answers under way.
const QUEUE: usize = 16;
/// How long a control plane may take for the first response of every type; another may be better off.
pub(crate) const FIRST_ANSWER: Duration = Duration::from_secs(60);
/// How long our answers may lie.
const STALLED: Duration = Duration::from_secs(30);
