//! The proxy as a plain reverse proxy, for measurements: requests to a port go to one address.
//!
//! `reverse_proxy --listen 127.0.0.1:8080 --to 127.0.0.1:9090 [--workers 2] [--http2] [--routes 100] [--log] [--for 60]`
//!
//! Each worker accepts from its own listening socket (SO_REUSEPORT). `--routes` adds so many rules that never match before
//! the one that does. Once a second it says on stderr how many connections are open, and the metrics at the end.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use prometheus_client::registry::Registry;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::LocalOptions;
use weir_proto::l7;
use weir_waypoint::balance::{Cluster, Own};
use weir_waypoint::proxy::{
    AccessLog, Arrival, Backends, Config, Form, Metrics, Parts, PlainConnector, Service, ServiceName,
    Settings, Source, Worker,
};
use weir_waypoint::route::BackendRef;

#[derive(Parser, Clone)]
struct Arguments {
    /// Where clients connect.
    #[arg(long)]
    listen: SocketAddr,
    /// Where requests go; several share them.
    #[arg(long, required = true)]
    to: Vec<SocketAddr>,
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// HTTP/2 to the backend, whatever the client speaks.
    #[arg(long)]
    http2: bool,
    /// Rules that do not match.
    #[arg(long, default_value_t = 0)]
    routes: usize,
    /// An access log on stdout.
    #[arg(long)]
    log: bool,
    /// Seconds; then it drains and says what it counted. 0: for ever.
    #[arg(long, default_value_t = 0)]
    r#for: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let mut registry = Registry::default();
    let shared = Shared {
        service: Arc::new(service(&arguments)?),
        backends: Arc::new(Only(Arc::new(cluster(&arguments)?))),
        metrics: Metrics::register(&mut registry),
        log: arguments.log.then(|| Arc::new(AccessLog::new(Form::Text, |line| println!("{line}")))),
    };
    let start = |_| {
        let (arguments, shared) = (arguments.clone(), shared.clone());
        std::thread::spawn(move || work(&arguments, shared))
    };
    let threads: Vec<_> = (0..arguments.workers).map(start).collect();
    for thread in threads {
        thread.join().map_err(|_| "a worker panicked")??;
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    eprintln!(
        "{}",
        text.lines().filter(|line| line.starts_with("istio_requests_total")).collect::<Vec<_>>().join("\n")
    );
    Ok(())
}

#[derive(Clone)]
struct Shared {
    service: Arc<Service>,
    backends: Arc<Only>,
    metrics: Arc<Metrics>,
    log: Option<Arc<AccessLog>>,
}

/// Every backend is the same.
struct Only(Arc<Cluster>);

impl Backends for Only {
    fn cluster(&self, _: &BackendRef) -> Option<Arc<Cluster>> {
        Some(self.0.clone())
    }
}

fn service(arguments: &Arguments) -> Result<Service, Box<dyn std::error::Error>> {
    let backend = l7::BackendRef {
        namespace: "bench".into(),
        hostname: "backend".into(),
        port: PORT.into(),
        ..Default::default()
    };
    let forward = |n: Option<usize>| l7::Rule {
        name: n.map_or("all".into(), |n| format!("route-{n}")),
        matches: n
            .map(|n| l7::Match { path: Some(prefix(&format!("/route/{n}/"))), ..Default::default() })
            .into_iter()
            .collect(),
        action: Some(l7::rule::Action::Forward(l7::Forward {
            backends: vec![l7::WeightedBackend {
                target: Some(l7::weighted_backend::Target::Backend(backend.clone())),
                weight: 1,
                ..Default::default()
            }],
            no_backend_status: 503,
            ..Default::default()
        })),
        ..Default::default()
    };
    let rules = (0..arguments.routes).map(|n| forward(Some(n))).chain([forward(None)]).collect();
    let http = vec![l7::RuleSet { source_namespace: String::new(), rules }];
    let form = l7::Frontend {
        namespace: "bench".into(),
        hostname: "backend".into(),
        ports: vec![l7::FrontendPort {
            port: PORT.into(),
            protocol: l7::Protocol::Http.into(),
            http,
            ..Default::default()
        }],
        ..Default::default()
    };
    let settings = Settings::compile(&form, [], &l7::Waypoint::default())?;
    let name = ServiceName { hostname: "backend".into(), name: "backend".into(), namespace: "bench".into() };
    Ok(Service::new("bench/backend", name, settings))
}

fn prefix(path: &str) -> l7::PathMatch {
    l7::PathMatch { kind: Some(l7::path_match::Kind::Prefix(path.into())), ignore_case: false }
}

fn cluster(arguments: &Arguments) -> Result<Cluster, Box<dyn std::error::Error>> {
    let protocol = if arguments.http2 {
        l7::UpstreamProtocol::UpstreamHttp2
    } else {
        l7::UpstreamProtocol::UpstreamHttp1
    };
    let algorithm = l7::load_balancer::Algorithm::LeastRequest(l7::LeastRequest::default());
    let form = l7::Cluster {
        port: PORT.into(),
        protocol: protocol.into(),
        load_balancer: Some(l7::LoadBalancer { algorithm: Some(algorithm), ..Default::default() }),
        ..Default::default()
    };
    let endpoint = |address: &SocketAddr| l7::Endpoint {
        uid: address.to_string(),
        addresses: vec![match address.ip() {
            std::net::IpAddr::V4(v4) => v4.octets().to_vec(),
            std::net::IpAddr::V6(v6) => v6.octets().to_vec(),
        }],
        ports: [(u32::from(PORT), u32::from(address.port()))].into(),
        ..Default::default()
    };
    let cluster = Cluster::new(&form, &Own::default(), Instant::now())?;
    let rejected = cluster.update(&arguments.to.iter().map(endpoint).collect::<Vec<_>>(), Instant::now());
    rejected.into_iter().next().map_or(Ok(cluster), |rejection| Err(rejection.into()))
}

fn work(arguments: &Arguments, shared: Shared) -> Result<(), std::io::Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let worker = Worker::new(Parts {
            config: Config::default(),
            connector: Box::new(PlainConnector),
            backends: shared.backends,
            metrics: shared.metrics,
            log: shared.log,
        });
        let listener = listen(arguments.listen)?;
        let serving = serve(&worker, &listener, &shared.service);
        let end = async {
            match arguments.r#for {
                0 => std::future::pending().await,
                seconds => tokio::time::sleep(Duration::from_secs(seconds)).await,
            }
        };
        tokio::select! {
            served = serving => served?,
            () = say(&worker) => {}
            () = end => {}
        }
        drop(listener);
        worker.drain(Duration::from_secs(5)).await;
        Ok(())
    })
}

async fn serve(worker: &Rc<Worker>, listener: &TcpListener, service: &Arc<Service>) -> std::io::Result<()> {
    let source = Arc::new(Source::default());
    loop {
        let (stream, client) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let destination = stream.local_addr()?;
        let arrival =
            Arrival { client, destination, port: PORT, source: source.clone(), service: service.clone() };
        let worker = worker.clone();
        tokio::task::spawn_local(async move { worker.serve(arrival, Box::new(stream)).await });
    }
}

async fn say(worker: &Worker) {
    let mut before = (0, 0);
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = (worker.open(), worker.connected());
        if now != before {
            eprintln!("{} clients, {} connections to backends", now.0, now.1);
        }
        before = now;
    }
}

/// One socket for each worker: the kernel shares out the connections.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    TcpListener::from_std(socket.into())
}

/// Of the service, which nobody dials: the listener stands for it.
const PORT: u16 = 80;
