//! What streams cost: `cargo run -p weir-serve --example fanout [--release] -- STREAMS RESOURCES`. One server and its
//! clients in one process, over loopback without TLS; prints the first sync, the time from a change to each client, bytes
//! and memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Status, Streaming};
use weir_index::{Change, Changes, Resource, ResourceKind, Snapshot};
use weir_proto::core::Node;
use weir_proto::discovery::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use weir_proto::type_url;
use weir_serve::auth::Caller;
use weir_serve::{Store, XdsConfig, XdsMetrics, XdsService};

type Wire = (mpsc::Sender<DeltaDiscoveryRequest>, Streaming<DeltaDiscoveryResponse>);
type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "multi_thread")]
async fn main() -> Result<(), Failure> {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<usize>().ok());
    let (streams, count) = (numbers.next().unwrap_or(100), numbers.next().unwrap_or(1000));
    let resources: Vec<_> = (0..count).map(|number| resource(number, 1)).collect();
    let store = Store::new();
    store.publish(Snapshot::of(resources.iter().cloned()), &Changes::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let xds = XdsService::new(store.clone(), XdsConfig::default(), XdsMetrics::default()).into_server();
    let service = InterceptedService::new(xds, let_in);
    tokio::spawn(
        Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)),
    );

    let before = resident();
    let started = Instant::now();
    let mut wires = Vec::new();
    for _ in 0..streams {
        wires.push(open(format!("http://{address}"), count).await?);
    }
    println!("{streams} streams with {count} resources each: {:?}", started.elapsed());
    println!("memory: {} KiB for each stream, both ends of it", (resident() - before) / streams.max(1));

    let mut took = Vec::new();
    let mut bytes = 0;
    for round in 0..20 {
        let changed = resource(round % count, 2 + round as u64);
        let live = resources.iter().skip(1).cloned().chain([changed.clone()]);
        let snapshot = Snapshot::of(live.take(count));
        let change = Change { name: changed.name.clone(), resource: Some(changed) };
        let published = Instant::now();
        store.publish(snapshot, &Changes { addresses: vec![change], ..Changes::default() });
        println!("round {round}: published in {:?}", published.elapsed());
        let each = wires.iter_mut().map(|(_, responses)| async move {
            let response = responses.message().await;
            (published.elapsed(), response)
        });
        for (elapsed, response) in futures_util::future::join_all(each).await {
            took.push(elapsed);
            bytes = response?.map_or(0, |response| prost::Message::encoded_len(&response));
        }
    }
    took.sort_unstable();
    let at = |part: usize| took.get(took.len() * part / 100).copied().unwrap_or(Duration::ZERO);
    println!("one change to {streams} clients: p50 {:?}, p99 {:?}, {bytes} bytes each", at(50), at(99));
    Ok(())
}

async fn open(uri: String, count: usize) -> Result<Wire, Failure> {
    let (requests, receiver) = mpsc::channel(16);
    for type_url in [type_url::ADDRESS, type_url::AUTHORIZATION] {
        let node =
            Node { id: "ztunnel~10.0.0.1~z.bench~bench.svc.cluster.local".to_owned(), ..Node::default() };
        let type_url = type_url.to_owned();
        requests.send(DeltaDiscoveryRequest { node: Some(node), type_url, ..Default::default() }).await?;
    }
    let channel = Endpoint::from_shared(uri)?.connect().await?;
    let mut client = AggregatedDiscoveryServiceClient::new(channel);
    let mut responses = client.delta_aggregated_resources(ReceiverStream::new(receiver)).await?.into_inner();
    let mut known = 0;
    while known < count {
        let response = responses.message().await?.ok_or("the stream ended")?;
        known += response.resources.len();
        let (type_url, response_nonce) = (response.type_url, response.nonce);
        requests.send(DeltaDiscoveryRequest { type_url, response_nonce, ..Default::default() }).await?;
    }
    Ok((requests, responses))
}

fn let_in(mut request: Request<()>) -> Result<Request<()>, Status> {
    request.extensions_mut().insert(Caller::new("bench", "agent"));
    Ok(request)
}

/// A workload of a usual size.
fn resource(number: usize, version: u64) -> Arc<Resource> {
    let body = vec![0x2a; 350].into();
    let name = format!("Kubernetes//Pod/namespace-{}/deployment-{number}-7d9c5b6f4-x2x5z", number % 50);
    Arc::new(Resource {
        name: name.into(),
        kind: ResourceKind::Workload,
        version,
        body,
        aliases: [].into(),
        node: "".into(),
        services: [].into(),
    })
}

/// Resident memory in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
