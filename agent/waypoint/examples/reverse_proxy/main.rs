//! The waypoint as a plain reverse proxy, for measurements: requests to a port go to one service.
//!
//! `reverse_proxy --listen 127.0.0.1:8080 --to 127.0.0.1:9090 [--workers 2] [--http2] [--routes 100] [--policy] [--log] [--for 60]`
//!
//! What a control plane would say goes into a waypoint's own feed; from there on a request's way is that of production,
//! but for the mesh's tunnels at both ends. Each worker accepts from its own listening socket (SO_REUSEPORT). `--routes`
//! adds so many rules, `/route/0/` and so on, before the one that takes everything. Once a second it says on stderr how many
//! connections are open, and the metrics at the end.

mod mesh;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use prometheus_client::registry::Registry;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::runtime::LocalOptions;
use weir_waypoint::proxy::{
    AccessLog, Arrival, Config, Form, Metrics, Parts, PlainConnector, Service, Source, Worker,
};
use weir_waypoint::run::Serving;

use mesh::{Mesh, PORT};

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
    /// Rules before the one that takes everything.
    #[arg(long, default_value_t = 0)]
    routes: usize,
    /// A policy that each request is held against.
    #[arg(long)]
    policy: bool,
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
    let serving = Arc::new(Serving::default());
    let mesh = Mesh {
        routes: arguments.routes,
        endpoints: arguments.to.clone(),
        http2: arguments.http2,
        policy: arguments.policy,
    };
    let shared = Shared {
        service: mesh.serve(&serving)?,
        serving,
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
    serving: Arc<Serving>,
    metrics: Arc<Metrics>,
    log: Option<Arc<AccessLog>>,
}

fn work(arguments: &Arguments, shared: Shared) -> Result<(), std::io::Error> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let worker = Worker::new(Parts {
            config: Config::default(),
            connector: Box::new(PlainConnector),
            backends: shared.serving,
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
