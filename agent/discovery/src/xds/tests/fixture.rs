//! A scripted control plane, and what it sends.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Streaming};
use weir_model::TunnelProtocol;
use weir_proto::discovery::aggregated_discovery_service_server::{
    AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
};
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource};
use weir_proto::security::Authorization;
use weir_proto::{type_url, workload};

use crate::channel::{ChannelConfig, ChannelError, ControlChannel, Dialed, Dialer};
use crate::xds::{Config, Local, LocalPods, NodeInfo, Role, Status, run};
use crate::{Store, Update};

/// An agent that follows a control plane which the test plays.
pub(super) struct Agent {
    pub(super) store: Store,
    pub(super) updates: watch::Receiver<Update>,
    pub(super) status: Arc<Status>,
    calls: mpsc::UnboundedReceiver<Call>,
    pub(super) dials: Arc<Dials>,
    pub(super) files: tempfile::TempDir,
    task: tokio::task::JoinHandle<()>,
}

/// A control plane that a test plays, and the way to it.
pub(crate) struct Plane {
    pub(crate) channel: ControlChannel,
    calls: mpsc::UnboundedReceiver<Call>,
    dials: Arc<Dials>,
    files: tempfile::TempDir,
}

/// A stream that the agent opened.
pub(crate) struct Call {
    pub(super) headers: MetadataMap,
    requests: Streaming<DeltaDiscoveryRequest>,
    responses: mpsc::Sender<Result<DeltaDiscoveryResponse, tonic::Status>>,
}

impl Plane {
    pub(crate) fn new() -> Self {
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("token"), "secret\n").unwrap();
        let (connections, accepted) = mpsc::unbounded_channel();
        let (calls_out, calls) = mpsc::unbounded_channel();
        let service = AggregatedDiscoveryServiceServer::new(Script(calls_out));
        let incoming =
            tokio_stream::StreamExt::map(UnboundedReceiverStream::new(accepted), Ok::<_, std::io::Error>);
        tokio::spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
        let dials = Arc::new(Dials {
            connections,
            refuse: std::sync::Mutex::new(0),
            times: std::sync::Mutex::default(),
        });
        let config = ChannelConfig {
            address: "https://control.test:15012".into(),
            token_file: files.path().join("token"),
            headers: vec![("clusterid".into(), "Kubernetes".into())],
            ..ChannelConfig::default()
        };
        let channel = ControlChannel::new(config).unwrap().over(Pipe(dials.clone()));
        Self { channel, calls, dials, files }
    }

    /// The next stream that is opened.
    pub(crate) async fn call(&mut self) -> Call {
        timeout(LONG, self.calls.recv()).await.expect("nobody opens a stream").unwrap()
    }
}

impl Agent {
    pub(super) fn start() -> Self {
        let Plane { channel, calls, dials, files } = Plane::new();
        let (store, status) = (Store::default(), Arc::new(Status::default()));
        let (sender, updates) = watch::channel(Update::default());
        let following = run(config_of_n1(), channel, store.clone(), sender, status.clone());
        let task = tokio::spawn(async move {
            let never = following.await;
            match never {}
        });
        Self { store, updates, status, calls, dials, files, task }
    }

    /// The next stream that the agent opens.
    pub(super) async fn call(&mut self) -> Call {
        timeout(LONG, self.calls.recv()).await.expect("the agent opens no stream").unwrap()
    }

    /// The next stream with its first requests read.
    pub(super) async fn opened(&mut self) -> (Call, [DeltaDiscoveryRequest; 2]) {
        let mut call = self.call().await;
        let requests = [call.request().await, call.request().await];
        (call, requests)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Call {
    pub(crate) async fn request(&mut self) -> DeltaDiscoveryRequest {
        self.try_request().await.expect("the agent ended the stream")
    }

    /// The next request; `None` when the agent ends the stream.
    pub(crate) async fn try_request(&mut self) -> Option<DeltaDiscoveryRequest> {
        timeout(LONG, self.requests.message()).await.expect("the agent is silent").ok().flatten()
    }

    pub(crate) async fn send(&mut self, response: DeltaDiscoveryResponse) {
        self.responses.send(Ok(response)).await.unwrap();
    }

    /// Sends and reads the answer.
    pub(crate) async fn ask(&mut self, response: DeltaDiscoveryResponse) -> DeltaDiscoveryRequest {
        self.send(response).await;
        self.request().await
    }

    pub(super) async fn fail(self, status: tonic::Status) {
        self.responses.send(Err(status)).await.unwrap();
    }
}

/// How connections are made: a pipe to the server, or a refusal.
#[derive(Debug)]
pub(super) struct Dials {
    connections: mpsc::UnboundedSender<DuplexStream>,
    /// So many are refused first.
    pub(super) refuse: std::sync::Mutex<usize>,
    pub(super) times: std::sync::Mutex<Vec<tokio::time::Instant>>,
}

#[derive(Debug)]
struct Pipe(Arc<Dials>);

impl Dialer for Pipe {
    fn dial(&self, target: Arc<crate::channel::Target>) -> Dialed {
        self.0.times.lock().unwrap().push(tokio::time::Instant::now());
        let mut refuse = self.0.refuse.lock().unwrap();
        if *refuse > 0 {
            *refuse -= 1;
            let source = std::io::ErrorKind::ConnectionRefused.into();
            return Box::pin(async move {
                Err(ChannelError::Connect { address: target.address.clone(), source })
            });
        }
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        self.0.connections.send(theirs).unwrap();
        Box::pin(async move { Ok(Box::new(ours) as Box<dyn crate::channel::Stream>) })
    }
}

struct Script(mpsc::UnboundedSender<Call>);

#[tonic::async_trait]
impl AggregatedDiscoveryService for Script {
    type DeltaAggregatedResourcesStream = ReceiverStream<Result<DeltaDiscoveryResponse, tonic::Status>>;

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, tonic::Status> {
        let headers = request.metadata().clone();
        let (responses, stream) = mpsc::channel(64);
        self.0.send(Call { headers, requests: request.into_inner(), responses }).unwrap();
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

pub(crate) fn config_of_n1() -> Config {
    let netns = "/run/netns/{name}".parse().unwrap();
    Config {
        node: NodeInfo {
            role: Role::NodeProxy,
            node: "n1".into(),
            pod: "agent".into(),
            namespace: "weir-system".into(),
            service_account: None,
            addresses: Vec::new(),
            cluster: "Kubernetes".into(),
            network: String::new(),
            domain: "cluster.local".into(),
        },
        local: Some(Local::Pattern(LocalPods { node: "n1".into(), cluster: "Kubernetes".into(), netns })),
    }
}

/// A response of workloads and services.
pub(super) fn addresses(nonce: &str, resources: Vec<Resource>) -> DeltaDiscoveryResponse {
    DeltaDiscoveryResponse {
        type_url: type_url::ADDRESS.into(),
        nonce: nonce.into(),
        resources,
        ..Default::default()
    }
}

/// A response of policies.
pub(super) fn policies(nonce: &str, resources: Vec<Resource>) -> DeltaDiscoveryResponse {
    DeltaDiscoveryResponse { type_url: type_url::AUTHORIZATION.into(), ..addresses(nonce, resources) }
}

pub(super) fn removed(response: DeltaDiscoveryResponse, names: &[&str]) -> DeltaDiscoveryResponse {
    DeltaDiscoveryResponse { removed_resources: names.iter().map(ToString::to_string).collect(), ..response }
}

pub(super) fn uid(name: &str) -> String {
    format!("Kubernetes//Pod/shop/{name}")
}

/// A pod of node n1, in the mesh.
pub(super) fn pod(name: &str, version: &str) -> Resource {
    let workload = workload::Workload {
        uid: uid(name),
        name: name.into(),
        namespace: "shop".into(),
        node: "n1".into(),
        canonical_revision: version.into(),
        tunnel_protocol: TunnelProtocol::Hbone as i32,
        ..Default::default()
    };
    of_address(&uid(name), version, workload::address::Type::Workload(workload))
}

/// A pod that no data plane can take.
pub(super) fn bad_pod(name: &str, version: &str) -> Resource {
    let workload = workload::Workload { uid: uid(name), tunnel_protocol: 99, ..Default::default() };
    of_address(&uid(name), version, workload::address::Type::Workload(workload))
}

pub(super) fn service(hostname: &str, version: &str) -> Resource {
    let service = workload::Service {
        name: version.into(),
        namespace: "shop".into(),
        hostname: hostname.into(),
        ..Default::default()
    };
    of_address(&format!("shop/{hostname}"), version, workload::address::Type::Service(service))
}

pub(super) fn policy(namespace: &str, name: &str, scope: i32) -> Authorization {
    Authorization { name: name.into(), namespace: namespace.into(), scope, ..Default::default() }
}

pub(super) fn of_policy(policy: &Authorization, version: &str) -> Resource {
    let name = format!("{}/{}", policy.namespace, policy.name);
    resource(&name, version, type_url::AUTHORIZATION, policy.encode_to_vec())
}

pub(super) fn of_address(name: &str, version: &str, of: workload::address::Type) -> Resource {
    let body = workload::Address { r#type: Some(of) }.encode_to_vec();
    resource(name, version, type_url::ADDRESS, body)
}

pub(crate) fn resource(name: &str, version: &str, url: &str, value: Vec<u8>) -> Resource {
    let body = prost_types::Any { type_url: url.into(), value };
    Resource { name: name.into(), version: version.into(), resource: Some(body), aliases: Vec::new() }
}

/// Longer than everything that an agent waits for.
const LONG: Duration = Duration::from_secs(300);
