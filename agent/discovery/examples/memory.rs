//! What a foreign workload costs an agent: a mesh of pods on other nodes goes through the client as a control plane sends
//! it, and the process' memory is looked at.
//!
//! ```text
//!   cargo run --release -p weir-discovery --example memory [PODS]
//! ```
use std::error::Error;
use std::fs;
use std::time::Instant;

use prost::Message;
use prost_types::Any;
use weir_discovery::xds::Client;
use weir_proto::core::Node;
use weir_proto::discovery::{DeltaDiscoveryResponse, Resource};
use weir_proto::{MORE_FOLLOWS, type_url, workload as proto};

fn main() -> Result<(), Box<dyn Error>> {
    let pods: usize = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let mut client = Client::new(Node::default());
    client.open();
    // One small batch first: what the process has anyway is not counted.
    client.receive(batch(0..100, true));
    let (before, begun) = (rss()?, Instant::now());
    for start in (0..pods).step_by(PART) {
        client.receive(batch(start..(start + PART).min(pods), true));
    }
    client.receive(batch(0..0, false));
    let (after, took) = (rss()?, begun.elapsed());
    let grown = after.saturating_sub(before);
    println!("{pods} workloads in {} services: {took:.0?}", client.directory().services().len());
    println!("RSS {} KiB before, {} KiB after: {} bytes for each", before / 1024, after / 1024, grown / pods);

    // A pod changes: what a push costs, the copy of the picture for the readers included.
    let begun = Instant::now();
    let mut kept = client.directory().clone();
    for n in 0..CHANGES {
        client.receive(DeltaDiscoveryResponse {
            resources: vec![pod(n * 7 % pods, "b")],
            ..batch(0..0, false)
        });
        kept = client.directory().clone();
    }
    println!("one change: {:.1?} ({} workloads)", begun.elapsed() / CHANGES as u32, kept.workloads().len());
    println!("RSS {} KiB after {CHANGES} changes", rss()? / 1024);
    let begun = Instant::now();
    let request = &client.open()[0];
    println!("a reconnect tells {} bytes, made in {:.0?}", request.encoded_len(), begun.elapsed());
    Ok(())
}

fn batch(range: std::ops::Range<usize>, more: bool) -> DeltaDiscoveryResponse {
    let services = range.clone().filter(|n| n % PER_SERVICE == 0).map(service);
    DeltaDiscoveryResponse {
        type_url: type_url::ADDRESS.into(),
        nonce: "n".into(),
        system_version_info: if more { MORE_FOLLOWS.into() } else { String::new() },
        resources: services.chain(range.clone().map(|n| pod(n, "a"))).collect(),
        ..DeltaDiscoveryResponse::default()
    }
}

fn pod(n: usize, revision: &str) -> Resource {
    let service = n / PER_SERVICE;
    let (namespace, app) = (format!("team-{}", service / 50), format!("service-{service}"));
    let name = format!("{app}-7d4b9c6f5-{:05x}", n * 7919 % 0xfffff);
    let uid = format!("Kubernetes//Pod/{namespace}/{name}");
    let port = |service_port, target_port| proto::Port { service_port, target_port, app_protocol: 0 };
    let ports = proto::PortList { ports: vec![port(80, 8080), port(9090, 9090)] };
    let workload = proto::Workload {
        uid: uid.clone(),
        name,
        namespace: namespace.clone(),
        addresses: vec![vec![10, (n >> 16) as u8, (n >> 8) as u8, n as u8]],
        tunnel_protocol: proto::TunnelProtocol::Hbone as i32,
        service_account: app.clone(),
        node: format!("node-{}", n % NODES),
        canonical_name: app.clone(),
        canonical_revision: revision.into(),
        workload_name: app.clone(),
        services: [(format!("{namespace}/{app}.{namespace}.svc.cluster.local"), ports)].into(),
        locality: Some(proto::Locality {
            region: "region-1".into(),
            zone: format!("zone-{}", n % 3),
            subzone: String::new(),
        }),
        ..proto::Workload::default()
    };
    resource(&uid, proto::address::Type::Workload(workload), n)
}

fn service(n: usize) -> Resource {
    let service = n / PER_SERVICE;
    let (namespace, name) = (format!("team-{}", service / 50), format!("service-{service}"));
    let hostname = format!("{name}.{namespace}.svc.cluster.local");
    let address = vec![10, 200 + (service >> 16) as u8, (service >> 8) as u8, service as u8];
    let message = proto::Service {
        name,
        namespace: namespace.clone(),
        hostname: hostname.clone(),
        addresses: vec![proto::NetworkAddress { network: String::new(), address, length: None }],
        ports: vec![proto::Port { service_port: 80, target_port: 8080, app_protocol: 0 }],
        ..proto::Service::default()
    };
    resource(&format!("{namespace}/{hostname}"), proto::address::Type::Service(message), n)
}

fn resource(name: &str, of: proto::address::Type, n: usize) -> Resource {
    let value = proto::Address { r#type: Some(of) }.encode_to_vec();
    let body = Any { type_url: type_url::ADDRESS.into(), value };
    // Versions of all resources differ, as hashes do.
    let version = format!("{:016x}", (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Resource { version, resource: Some(body), name: name.into(), aliases: Vec::new() }
}

/// Resident memory of this process in bytes, from the second word of statm (pages of 4 KiB).
fn rss() -> Result<usize, Box<dyn Error>> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split_whitespace().nth(1).ok_or("statm is short")?;
    Ok(pages.parse::<usize>()? * 4096)
}

/// Pods behind one service.
const PER_SERVICE: usize = 20;
const NODES: usize = 1000;
/// Resources of one response, about 1 MiB.
const PART: usize = 2500;
const CHANGES: usize = 1000;
