//! One agent, as far as the controller sees it: a connection, a token, a stream, and an answer to every response.
//!
//! It counts what comes and keeps none of it, so that a hundred of them fit beside the controller that is measured.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use prost::Message;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use weir_discovery::channel::ControlChannel;
use weir_proto::core::Node;
use weir_proto::discovery::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use weir_proto::{MORE_FOLLOWS, type_url};

use crate::mesh::{ROOT, node_name};

/// What an agent has to tell.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) agent: usize,
    pub(crate) at: Instant,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// Everything that it asked for is there.
    Synced { resources: usize, bytes: usize },
    /// A response after that.
    Changed { names: Vec<String>, bytes: usize },
    /// The stream is gone.
    Lost(anyhow::Error),
}

/// One agent.
pub(crate) struct Agent {
    pub(crate) number: usize,
    /// The node that it is on.
    pub(crate) node: usize,
    pub(crate) channel: ControlChannel,
    /// Names that it asks for; `None`: everything.
    pub(crate) wants: Option<Vec<String>>,
}

impl Agent {
    /// Follows the controller until the stream ends or nobody listens.
    pub(crate) async fn run(self, news: mpsc::UnboundedSender<News>) {
        if let Err(error) = self.follow(&news).await {
            let _ = news.send(self.news(What::Lost(error)));
        }
    }

    async fn follow(&self, news: &mpsc::UnboundedSender<News>) -> Result<()> {
        let (requests, mut responses) = self.open().await?;
        let mut waiting = HashSet::from([type_url::ADDRESS, type_url::AUTHORIZATION]);
        let (mut resources, mut bytes) = (0, 0);
        while let Some(response) = responses.message().await? {
            let at = Instant::now();
            let size = response.encoded_len();
            let is_whole = response.system_version_info != MORE_FOLLOWS;
            requests.send(acknowledge(&response)).await.context("the stream takes no answers")?;
            if waiting.is_empty() {
                let names = response.resources.into_iter().map(|resource| resource.name);
                let names = names.chain(response.removed_resources).collect();
                let changed = What::Changed { names, bytes: size };
                if news.send(News { agent: self.number, at, what: changed }).is_err() {
                    return Ok(());
                }
                continue;
            }
            resources += response.resources.len();
            bytes += size;
            if is_whole && waiting.remove(response.type_url.as_str()) && waiting.is_empty() {
                let _ = news.send(News { agent: self.number, at, what: What::Synced { resources, bytes } });
            }
        }
        bail!("the controller ended the stream")
    }

    async fn open(&self) -> Result<(mpsc::Sender<DeltaDiscoveryRequest>, Streaming<DeltaDiscoveryResponse>)> {
        let channel = self.channel.connect().await?;
        let credentials = self.channel.credentials();
        let mut service = AggregatedDiscoveryServiceClient::with_interceptor(channel, credentials)
            .max_decoding_message_size(LARGEST);
        let (requests, queue) = mpsc::channel(16);
        for request in [self.addresses(), self.authorizations()] {
            requests.send(request).await.context("no room for a request")?;
        }
        let responses = service.delta_aggregated_resources(ReceiverStream::new(queue)).await?;
        Ok((requests, responses.into_inner()))
    }

    /// On demand is asked for as Istio's proxies do: everything, and not everything, in one request.
    fn addresses(&self) -> DeltaDiscoveryRequest {
        let star = || "*".to_owned();
        let (subscribe, unsubscribe) = match &self.wants {
            Some(names) => (std::iter::once(star()).chain(names.iter().cloned()).collect(), vec![star()]),
            None => (Vec::new(), Vec::new()),
        };
        DeltaDiscoveryRequest {
            node: Some(self.node()),
            type_url: type_url::ADDRESS.to_owned(),
            resource_names_subscribe: subscribe,
            resource_names_unsubscribe: unsubscribe,
            ..DeltaDiscoveryRequest::default()
        }
    }

    fn authorizations(&self) -> DeltaDiscoveryRequest {
        let type_url = type_url::AUTHORIZATION.to_owned();
        DeltaDiscoveryRequest { node: Some(self.node()), type_url, ..DeltaDiscoveryRequest::default() }
    }

    fn node(&self) -> Node {
        let (pod, node) = (format!("weir-agent-{}", self.number), node_name(self.node));
        let text = |value: &str| Value { kind: Some(Kind::StringValue(value.to_owned())) };
        let metadata = [
            ("NAME", pod.as_str()),
            ("NAMESPACE", ROOT),
            ("SERVICE_ACCOUNT", "weir-agent"),
            ("NODE_NAME", &node),
            ("CLUSTER_ID", "Kubernetes"),
            ("WEIR_VERSION", env!("CARGO_PKG_VERSION")),
        ];
        let fields: BTreeMap<_, _> =
            metadata.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect();
        let address = format!("172.16.{}.{}", self.node / 250, self.node % 250 + 1);
        Node {
            id: format!("ztunnel~{address}~{pod}.{ROOT}~{ROOT}.svc.cluster.local"),
            metadata: Some(Struct { fields }),
            ..Node::default()
        }
    }

    fn news(&self, what: What) -> News {
        News { agent: self.number, at: Instant::now(), what }
    }
}

fn acknowledge(response: &DeltaDiscoveryResponse) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: response.type_url.clone(),
        response_nonce: response.nonce.clone(),
        ..DeltaDiscoveryRequest::default()
    }
}

/// As a real agent's limit.
const LARGEST: usize = 200 << 20;
