//! The gRPC service.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use weir_proto::discovery::aggregated_discovery_service_server::{
    AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
};
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use super::session::Session;
use super::stream::Stream;
use super::{Refusal, XdsConfig, XdsMetrics};
use crate::auth::{Caller, Peer};
use crate::ca::NodeAgents;
use crate::store::Store;
use crate::turns::Turns;

/// Delta discovery for callers that have proved who they are. The layer in front puts the [`Caller`] into the request.
pub struct XdsService {
    store: Store,
    config: XdsConfig,
    metrics: XdsMetrics,
    greetings: Turns,
    firsts: Turns,
    agents: Option<NodeAgents>,
}

impl XdsService {
    /// A service that serves what is in `store`.
    pub fn new(store: Store, config: XdsConfig, metrics: XdsMetrics) -> Self {
        let (greetings, firsts) = (Turns::new(config.greetings), Turns::new(config.first_responses));
        Self { store, config, metrics, greetings, firsts, agents: None }
    }

    /// Tells these agents about the pods of their nodes.
    #[must_use]
    pub fn tell_nodes(self, agents: NodeAgents) -> Self {
        Self { agents: Some(agents), ..self }
    }

    fn place(&self, caller: &Caller) -> Result<Arc<str>, String> {
        let agents = self.agents.as_ref().ok_or("this control plane reads no cluster")?;
        agents.node_of(caller).map_err(|denied| denied.to_string())
    }

    /// The service as a server takes it, with the limit on the size of requests.
    pub fn into_server(self) -> AggregatedDiscoveryServiceServer<Self> {
        let limit = self.config.max_request;
        AggregatedDiscoveryServiceServer::new(self).max_decoding_message_size(limit)
    }

    fn refuse(&self, refusal: Refusal) -> Status {
        let status = Status::from(refusal);
        self.metrics.end(status.code().description());
        status
    }
}

#[tonic::async_trait]
impl AggregatedDiscoveryService for XdsService {
    type DeltaAggregatedResourcesStream = ReceiverStream<Result<DeltaDiscoveryResponse, Status>>;

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        let Some(caller) = request.extensions().get::<Caller>().cloned() else {
            return Err(Status::unauthenticated("nobody proved who calls"));
        };
        if !self.store.is_ready() {
            return Err(self.refuse(Refusal::NotReady));
        }
        let head = self.store.watch();
        if head.borrow().closed {
            return Err(self.refuse(Refusal::Closing));
        }
        let address = request.extensions().get::<Peer>().map(|peer| peer.address);
        let registration = self.store.registry().open(caller.to_string(), address);
        // One response waits at most: the next is made when that one is taken.
        let (responses, body) = mpsc::channel(1);
        let place = self.place(&caller);
        let stream = Stream {
            session: Session::new(caller, registration.stream, self.config.clone()).at(place),
            store: self.store.clone(),
            head,
            requests: request.into_inner(),
            responses,
            address: address.map(|address| address.ip()),
            config: self.config.clone(),
            metrics: self.metrics.clone(),
            registration,
            behind_since: None,
            firsts: self.firsts.clone(),
            first: None,
        };
        tokio::spawn(stream.run(self.greetings.clone()));
        Ok(Response::new(ReceiverStream::new(body)))
    }
}
