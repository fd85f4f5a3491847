//! Real clients over TLS, HTTP/2 and loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::{Routes, interceptor::InterceptedService};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status, Streaming};
use weir_proto::discovery::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use super::client::*;
use super::mesh::{Mesh, pod, policy};
use crate::xds::{XdsConfig, XdsMetrics, XdsService};
use crate::{Limits, Store, serve};

/// A server on loopback, until it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    roots: Arc<rustls::RootCertStore>,
    _stop: oneshot::Sender<()>,
}

impl Server {
    pub(super) async fn start(store: &Store, config: XdsConfig, limits: Limits) -> Self {
        let xds = XdsService::new(store.clone(), config, XdsMetrics::default()).into_server();
        Self::of_services(Routes::new(InterceptedService::new(xds, authenticate)), limits).await
    }

    pub(super) async fn of_services(services: Routes, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut tls = rustls::ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        tokio::spawn(serve(listener, Arc::new(ArcSwap::from_pointee(tls)), limits, services, stopped));
        Self { address, roots: roots.into(), _stop: stop }
    }

    /// A server with usual limits.
    async fn of(mesh: &Mesh) -> Self {
        Self::start(&mesh.store, XdsConfig::default(), Limits::default()).await
    }

    /// A TLS connection.
    pub(super) async fn tls(&self) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        tls(self.address, self.roots.clone()).await
    }

    pub(super) async fn channel(&self) -> Channel {
        let (address, roots) = (self.address, self.roots.clone());
        let connector = tower::service_fn(move |_: Uri| {
            let stream = tls(address, roots.clone());
            async move { stream.await.map(TokioIo::new) }
        });
        Endpoint::from_static("http://localhost").connect_with_connector(connector).await.unwrap()
    }

    /// A stream, opened with these requests.
    pub(super) async fn open(&self, requests: &[DeltaDiscoveryRequest]) -> Result<Wire, Status> {
        open(self.channel().await, "Bearer good", requests).await
    }
}

async fn tls(
    address: SocketAddr,
    roots: Arc<rustls::RootCertStore>,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut config = rustls::ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn authenticate(mut request: Request<()>) -> Result<Request<()>, Status> {
    if request.metadata().get("authorization").is_none_or(|token| token != "Bearer good") {
        return Err(Status::unauthenticated("no"));
    }
    request.extensions_mut().insert(caller());
    Ok(request)
}

pub(super) async fn open(
    channel: Channel,
    token: &str,
    requests: &[DeltaDiscoveryRequest],
) -> Result<Wire, Status> {
    let (sender, receiver) = mpsc::channel(1024);
    for request in requests {
        sender.try_send(request.clone()).unwrap();
    }
    let mut request = Request::new(ReceiverStream::new(receiver));
    request.metadata_mut().insert("authorization", token.parse().unwrap());
    let mut client = AggregatedDiscoveryServiceClient::new(channel).max_decoding_message_size(200 << 20);
    let responses = client.delta_aggregated_resources(request).await?.into_inner();
    Ok(Wire { requests: sender, responses })
}

/// The client's side of a stream.
pub(super) struct Wire {
    pub(super) requests: mpsc::Sender<DeltaDiscoveryRequest>,
    pub(super) responses: Streaming<DeltaDiscoveryResponse>,
}

impl Wire {
    pub(super) async fn next(&mut self) -> Result<DeltaDiscoveryResponse, Status> {
        let response = tokio::time::timeout(Duration::from_secs(20), self.responses.message());
        response.await.expect("no response in time")?.ok_or_else(|| Status::ok("the stream ended"))
    }

    /// The next response, acknowledged.
    async fn acked(&mut self) -> DeltaDiscoveryResponse {
        let response = self.next().await.unwrap();
        self.requests.send(ack(&response)).await.unwrap();
        response
    }
}

pub(super) fn small_mesh() -> Mesh {
    Mesh::of([
        pod("c//Pod/shop/a", "10.0.0.1", "a", &[], &["shop/deny"], 1),
        pod("c//Pod/shop/b", "10.0.0.2", "b", &[], &[], 1),
        policy("shop/deny", 1),
    ])
}

/// How many resources of each type the one client holds, by the list of connections.
fn held(mesh: &Mesh) -> Vec<(&'static str, usize)> {
    let types = mesh.store.connections().remove(0).types;
    let of = |url: &'static str| types.iter().find(|kind| kind.type_url == url).map(|kind| (url, kind.known));
    [AUTHORIZATION, ADDRESS].into_iter().filter_map(of).collect()
}

#[tokio::test]
async fn a_node_proxy_lives_from_it() {
    let mut mesh = small_mesh();
    let server = Server::of(&mesh).await;
    let mut wire = server.open(&[first(ADDRESS), first(AUTHORIZATION)]).await.unwrap();
    assert_eq!(summary(&wire.acked().await), ["shop/deny"]);
    assert_eq!(summary(&wire.acked().await), ["c//Pod/shop/a", "c//Pod/shop/b"]);
    mesh.change([pod("c//Pod/shop/b", "10.0.0.3", "b", &[], &[], 2)]);
    assert_eq!(summary(&wire.acked().await), ["c//Pod/shop/b"]);
    assert_eq!(held(&mesh), [(AUTHORIZATION, 1), (ADDRESS, 2)]);
    mesh.remove(&["c//Pod/shop/b"]);
    let response = wire.next().await.unwrap();
    assert_eq!(summary(&response), ["-c//Pod/shop/b"]);
    wire.requests.send(nack(&response, "no such workload")).await.unwrap();
    // An answer shows that everything before it was taken.
    wire.requests.send(ask(ADDRESS, &["/10.0.0.1"], &[])).await.unwrap();
    assert_eq!(summary(&wire.next().await.unwrap()), ["c//Pod/shop/a"]);

    let info = mesh.store.connections().remove(0);
    assert_eq!(info.node, "ztunnel~10.0.0.1~ztunnel-1.weir-system~weir-system.svc.cluster.local");
    assert_eq!((&*info.caller, info.address.is_some()), ("weir-system/ztunnel", true));
    let addresses = info.types.iter().find(|kind| kind.type_url == ADDRESS).unwrap();
    assert_eq!((addresses.nacks, addresses.nack_reason.as_deref()), (1, Some("no such workload")));
    assert_eq!(held(&mesh), [(AUTHORIZATION, 1), (ADDRESS, 1)]);

    drop(wire);
    let mut back =
        server.open(&[holding(first(ADDRESS), &[("c//Pod/shop/a", "0000000000000001")])]).await.unwrap();
    assert_eq!(summary(&back.next().await.unwrap()), Vec::<String>::new(), "it has everything");
}

#[tokio::test]
async fn a_client_on_demand_is_answered() {
    let mesh = small_mesh();
    let server = Server::of(&mesh).await;
    let mut wire = server.open(&[on_demand(), first(AUTHORIZATION)]).await.unwrap();
    wire.acked().await;
    assert_eq!(summary(&wire.acked().await), ["c//Pod/shop/a"]);
    wire.requests.send(ask(ADDRESS, &["/10.0.0.2"], &[])).await.unwrap();
    assert_eq!(summary(&wire.acked().await), ["c//Pod/shop/b"]);
    wire.requests.send(ask(ADDRESS, &["/10.0.0.9"], &[])).await.unwrap();
    assert_eq!(summary(&wire.acked().await), ["-/10.0.0.9"]);
}

#[tokio::test]
async fn who_is_not_to_be_served_is_told_why() {
    let mesh = small_mesh();
    let server = Server::of(&mesh).await;
    let refused = open(server.channel().await, "Bearer bad", &[first(ADDRESS)]).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let other = node_with("ztunnel~10.0.0.1~x~y", &[("NAMESPACE", "shop")]);
    let request = DeltaDiscoveryRequest { node: Some(other), ..first(ADDRESS) };
    let mut wire = server.open(&[request]).await.unwrap();
    assert_eq!(wire.next().await.unwrap_err().code(), Code::PermissionDenied);
    let mut wire = server.open(&[ask(ADDRESS, &[], &[])]).await.unwrap();
    assert_eq!(wire.next().await.unwrap_err().code(), Code::InvalidArgument);

    let empty = Mesh::default();
    let server = Server::of(&empty).await;
    assert_eq!(server.open(&[first(ADDRESS)]).await.err().unwrap().code(), Code::Unavailable);
}

#[tokio::test]
async fn streams_end_when_the_store_is_closed() {
    let mesh = small_mesh();
    let server = Server::of(&mesh).await;
    let mut wire = server.open(&[first(AUTHORIZATION)]).await.unwrap();
    wire.acked().await;
    mesh.store.close();
    assert_eq!(wire.next().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(server.open(&[first(ADDRESS)]).await.err().unwrap().code(), Code::Unavailable);
}

#[tokio::test]
async fn one_change_reaches_a_hundred_clients_in_a_kibibyte_each() {
    let pods = (0..1000u32).map(|n| {
        pod(&format!("c//Pod/shop/p{n}"), &format!("10.0.{}.{}", n / 250, n % 250), "b", &[], &[], 1)
    });
    let mut mesh = Mesh::of(pods);
    let server = Server::of(&mesh).await;
    let mut wires = Vec::new();
    for _ in 0..100 {
        let mut wire = server.open(&[first(ADDRESS), first(AUTHORIZATION)]).await.unwrap();
        wire.acked().await;
        while wire.acked().await.system_version_info == weir_proto::MORE_FOLLOWS {}
        wires.push(wire);
    }
    let published = Instant::now();
    mesh.change([pod("c//Pod/shop/p7", "10.0.0.7", "b", &[], &[], 2)]);
    let mut took = Vec::new();
    for wire in &mut wires {
        let response = wire.next().await.unwrap();
        took.push(published.elapsed());
        assert_eq!(summary(&response), ["c//Pod/shop/p7"]);
        assert!(prost::Message::encoded_len(&response) < 1024);
    }
    println!("a change to 100 clients, last: {:?}", took.last().unwrap());
}
