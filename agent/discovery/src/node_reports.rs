//! What this node says of its pods, over the control plane's channel.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use weir_proto::node as proto;
use weir_proto::node::node_client::NodeClient;

use crate::channel::ControlChannel;
use crate::follow::Backoff;

/// What is so of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodReport {
    /// Its uid.
    pub uid: Arc<str>,
    /// What is so.
    pub state: PodState,
    /// For its condition: one word.
    pub reason: &'static str,
    /// And a sentence.
    pub message: String,
}

/// What is so of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodState {
    /// Its traffic is captured.
    Captured,
    /// It is, and is about to be let go: others must not use the tunnel any more.
    Leaving,
    /// It is not, and nobody wants it to be.
    Removed,
    /// It was asked for and cannot be.
    Refused,
    /// It should be and is not, for now.
    Failed,
}

/// All that is said, by namespace and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeReport {
    /// The pods.
    pub pods: BTreeMap<(Arc<str>, Arc<str>), PodReport>,
    /// The agent serves: pods may come.
    pub ready: bool,
}

/// Says what is so, and what changes of it, without an end. Each stream begins with all of it.
pub async fn report(channel: ControlChannel, mut reports: watch::Receiver<Arc<NodeReport>>) -> Infallible {
    let mut backoff = Backoff::new();
    let mut said = String::new();
    loop {
        let begun = Instant::now();
        let problem = match stream(&channel, &mut reports).await {
            Ok(()) => "the control plane ended the stream".to_owned(),
            Err(problem) => problem,
        };
        if begun.elapsed() >= USEFUL {
            backoff.reset();
        }
        if problem != said {
            tracing::warn!("the pods of this node are not reported: {problem}; it is tried again");
            said.clone_from(&problem);
        }
        sleep(backoff.next(rand::random())).await;
    }
}

async fn stream(
    channel: &ControlChannel,
    reports: &mut watch::Receiver<Arc<NodeReport>>,
) -> Result<(), String> {
    let connection = channel.connect().await.map_err(|error| error.to_string())?;
    let mut service = NodeClient::with_interceptor(connection, channel.credentials());
    let (messages, queue) = mpsc::channel(1);
    let talk = async {
        let mut before = NodeReport::default();
        loop {
            let now = reports.borrow_and_update().clone();
            let message = difference(&before, &now);
            if (!message.pods.is_empty() || now.ready != before.ready)
                && messages.send(message).await.is_err()
            {
                return std::future::pending().await;
            }
            before = NodeReport::clone(&now);
            if reports.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    };
    let call = service.report(ReceiverStream::new(queue));
    let said = |status: Status| format!("the control plane says {:?}: {}", status.code(), status.message());
    tokio::select! {
        ended = call => ended.map(drop).map_err(said),
        () = talk => Ok(()),
    }
}

/// What is other than before. A pod that is not there any more has nobody to be told.
fn difference(before: &NodeReport, now: &NodeReport) -> proto::NodeReport {
    let news = now.pods.iter().filter(|(name, report)| before.pods.get(*name) != Some(report));
    let pods = news.map(|((namespace, name), report)| proto::PodReport {
        namespace: namespace.to_string(),
        name: name.to_string(),
        uid: report.uid.to_string(),
        state: state(report.state).into(),
        reason: report.reason.to_owned(),
        message: report.message.clone(),
    });
    proto::NodeReport { pods: pods.collect(), ready: now.ready && !before.ready }
}

fn state(state: PodState) -> proto::State {
    match state {
        PodState::Captured => proto::State::Captured,
        PodState::Leaving => proto::State::Leaving,
        PodState::Removed => proto::State::Removed,
        PodState::Refused => proto::State::Refused,
        PodState::Failed => proto::State::Failed,
    }
}

/// A stream that lasted so long was of use.
const USEFUL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pods: &[(&str, PodState)], ready: bool) -> NodeReport {
        let report = |state| PodReport { uid: "u".into(), state, reason: "R", message: String::new() };
        let pods = pods.iter().map(|(name, state)| (("shop".into(), (*name).into()), report(*state)));
        NodeReport { pods: pods.collect(), ready }
    }

    #[test]
    fn only_what_changed_is_said() {
        use PodState::{Captured, Failed};
        let (before, now) = (
            with(&[("a", Captured), ("b", Failed), ("c", Captured)], false),
            with(&[("a", Captured), ("b", Captured)], true),
        );
        let names = |message: proto::NodeReport| -> Vec<String> {
            message.pods.into_iter().map(|pod| pod.name).collect()
        };
        assert_eq!(names(difference(&NodeReport::default(), &before)), ["a", "b", "c"]);
        assert_eq!(names(difference(&before, &now)), ["b"]);
        assert!(difference(&before, &now).ready && !difference(&now, &now).ready);
    }
}
