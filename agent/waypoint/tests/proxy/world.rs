//! A worker with one service, and what is around it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use weir_proto::l7;
use weir_waypoint::balance::{Address, Cluster, Own};
use weir_waypoint::proxy::{
    AccessLog, Arrival, Backends, Config, ConnectError, Connector, Form, Metrics, Parts, PlainConnector,
    Service, ServiceName, Settings, Source, Stream, Target, Worker,
};
use weir_waypoint::route::BackendRef;

pub(crate) const PORT: u16 = 80;

/// Runs a test on a thread of its own kind: tasks that are not `Send`, time that is real.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited =
        async { tokio::time::timeout(Duration::from_secs(20), test).await.expect("the test hangs") };
    tokio::task::LocalSet::new().block_on(&runtime, limited)
}

/// The same with time that passes when nothing else happens. Only for worlds in memory.
pub(crate) fn run_paused<T>(test: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

/// Everything that a test needs to know.
pub(crate) struct World {
    pub(crate) worker: Rc<Worker>,
    pub(crate) service: Arc<Service>,
    pub(crate) servers: Rc<Servers>,
    registry: Registry,
    log: Arc<Mutex<Vec<String>>>,
}

/// Changes of the defaults.
pub(crate) struct Setting {
    pub(crate) form: l7::Frontend,
    pub(crate) config: Config,
    pub(crate) json: bool,
}

impl World {
    /// A service without routes, that detects its protocol.
    pub(crate) fn plain() -> Self {
        Self::new(Setting::default())
    }

    pub(crate) fn new(setting: Setting) -> Self {
        let mut registry = Registry::default();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = log.clone();
        let form = if setting.json { Form::Json } else { Form::Text };
        let servers = Rc::new(Servers::default());
        let settings = setting.settings();
        let worker = Worker::new(Parts {
            config: setting.config,
            connector: Box::new(Roads(servers.clone())),
            backends: servers.known.clone(),
            metrics: Metrics::register(&mut registry),
            log: Some(Arc::new(AccessLog::new(form, move |line| {
                lines.lock().unwrap().push(line.to_owned())
            }))),
        });
        let name = ServiceName {
            hostname: "reviews.shop.svc".into(),
            name: "reviews".into(),
            namespace: "shop".into(),
        };
        let service = Service::new("shop/reviews", name, settings);
        Self { worker, service: Arc::new(service), servers, registry, log }
    }

    pub(crate) fn arrival(&self) -> Arrival {
        Arrival {
            client: "10.0.0.9:4000".parse().unwrap(),
            destination: "10.1.0.1:80".parse().unwrap(),
            port: PORT,
            source: Arc::new(Source::default()),
            service: self.service.clone(),
        }
    }

    /// A client's connection over loopback.
    pub(crate) async fn connect(&self) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        self.serve(Box::new(stream));
        client
    }

    /// A client's connection in memory.
    pub(crate) fn connect_here(&self) -> DuplexStream {
        let (client, stream) = duplex(64 * 1024);
        self.serve(Box::new(stream));
        client
    }

    fn serve(&self, stream: Stream) {
        let (worker, arrival) = (self.worker.clone(), self.arrival());
        spawn_local(async move { worker.serve(arrival, stream).await });
    }

    /// Sends bytes and returns everything that comes until the end.
    pub(crate) async fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.connect().await;
        client.write_all(bytes.as_ref()).await.unwrap();
        read_all(&mut client).await
    }

    pub(crate) async fn http1<B: hyper::body::Body<Data = Bytes> + 'static>(
        &self,
    ) -> hyper::client::conn::http1::SendRequest<B>
    where
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        http1_client(self.connect_here()).await
    }

    pub(crate) async fn http2<B: hyper::body::Body<Data = Bytes> + Unpin + 'static>(
        &self,
    ) -> hyper::client::conn::http2::SendRequest<B>
    where
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        http2_client(self.connect_here()).await
    }

    /// What the log has said so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for the log to have so many lines.
    pub(crate) async fn logged(&self, count: usize) -> Vec<String> {
        // A thousand turns of everybody are more than enough to say what there is to say, if time plays no part.
        for _ in 0..1000 {
            if self.lines().len() >= count {
                return self.lines();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("the log has only {:?}", self.lines())
    }

    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

pub(crate) async fn http1_client<B: hyper::body::Body<Data = Bytes> + 'static>(
    stream: DuplexStream,
) -> hyper::client::conn::http1::SendRequest<B>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    spawn_local(connection.with_upgrades());
    sender
}

pub(crate) async fn http2_client<B: hyper::body::Body<Data = Bytes> + Unpin + 'static>(
    stream: DuplexStream,
) -> hyper::client::conn::http2::SendRequest<B>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (sender, connection) =
        hyper::client::conn::http2::handshake(Local, TokioIo::new(stream)).await.unwrap();
    spawn_local(connection);
    sender
}

#[derive(Clone, Copy)]
pub(crate) struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        spawn_local(async move {
            future.await;
        });
    }
}

/// Until the end, or the reset that takes its place.
pub(crate) async fn read_all(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes).await;
    let end = if ended.is_err() { "<reset>" } else { "" };
    String::from_utf8_lossy(&bytes).into_owned() + end
}

/// Until `end` has come.
pub(crate) async fn read_until(stream: &mut (impl tokio::io::AsyncRead + Unpin), end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap() == 0 {
            panic!("it ended with {text:?}");
        }
        text.push(char::from(byte[0]));
    }
    text
}

/// The servers of a world, by the address at which they are "reached": real ones, and ones in memory.
#[derive(Default)]
pub(crate) struct Servers {
    known: Arc<Known>,
    here: RefCell<HashMap<SocketAddr, Serve>>,
}

type Serve = Rc<dyn Fn(DuplexStream)>;

#[derive(Default)]
struct Known(Mutex<HashMap<(String, String), Arc<Cluster>>>);

impl Backends for Known {
    fn cluster(&self, backend: &BackendRef) -> Option<Arc<Cluster>> {
        let key = (backend.resource.to_string(), backend.subset.to_string());
        self.0.lock().unwrap().get(&key).cloned()
    }
}

impl Servers {
    /// What the service `resource` has for endpoints.
    pub(crate) fn cluster(&self, resource: &str, protocol: l7::UpstreamProtocol, addresses: &[SocketAddr]) {
        self.cluster_of(resource, l7::Cluster { protocol: protocol.into(), ..Default::default() }, addresses);
    }

    /// The same, with settings. They are taken in turn, unless the form says otherwise.
    pub(crate) fn cluster_of(&self, resource: &str, mut form: l7::Cluster, addresses: &[SocketAddr]) {
        let turn = l7::load_balancer::Algorithm::RoundRobin(l7::RoundRobin {});
        let balancer = l7::LoadBalancer { algorithm: Some(turn), ..Default::default() };
        form.load_balancer.get_or_insert(balancer);
        form.port = PORT.into();
        let endpoint = |address: &SocketAddr| l7::Endpoint {
            uid: address.to_string(),
            addresses: vec![match address.ip() {
                IpAddr::V4(v4) => v4.octets().to_vec(),
                IpAddr::V6(v6) => v6.octets().to_vec(),
            }],
            ports: [(u32::from(PORT), u32::from(address.port()))].into(),
            workload: format!("{}-v1", resource.trim_start_matches("shop/")),
            workload_namespace: "shop".into(),
            ..Default::default()
        };
        let now = tokio::time::Instant::now().into_std();
        let cluster = Cluster::new(&form, &Own::default(), now).unwrap();
        let rejected = cluster.update(&addresses.iter().map(endpoint).collect::<Vec<_>>(), now);
        assert!(rejected.is_empty(), "{rejected:?}");
        self.known.0.lock().unwrap().insert((resource.into(), form.subset), Arc::new(cluster));
    }

    /// Other settings for a cluster that is there.
    pub(crate) fn reconfigure(&self, resource: &str, mut form: l7::Cluster) {
        form.port = PORT.into();
        let clusters = self.known.0.lock().unwrap();
        let cluster = &clusters[&(resource.to_owned(), form.subset.clone())];
        cluster.reconfigure(&form, &Own::default(), tokio::time::Instant::now().into_std()).unwrap();
    }

    /// A server in memory: each connection is handed to it.
    pub(crate) fn here(&self, address: &str, serve: impl Fn(DuplexStream) + 'static) -> SocketAddr {
        let address = address.parse().unwrap();
        self.here.borrow_mut().insert(address, Rc::new(serve));
        address
    }
}

struct Roads(Rc<Servers>);

impl Connector for Roads {
    fn connect(&self, target: Target) -> LocalBoxFuture<'static, Result<Stream, ConnectError>> {
        let here = match target.endpoint.address() {
            Address::Socket(address) => self.0.here.borrow().get(address).cloned(),
            Address::Name(..) => None,
        };
        let Some(serve) = here else {
            return PlainConnector.connect(target);
        };
        Box::pin(async move {
            let (ours, theirs) = duplex(64 * 1024);
            serve(theirs);
            Ok(Box::new(ours) as Stream)
        })
    }
}

pub(crate) type AnyBody = UnsyncBoxBody<Bytes, std::io::Error>;

pub(crate) fn text(text: &str) -> AnyBody {
    Full::new(Bytes::copy_from_slice(text.as_bytes())).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn nothing() -> AnyBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A server of HTTP/1 in memory.
pub(crate) fn http1_server<F>(
    handler: impl Fn(Request<Incoming>) -> F + Clone + 'static,
) -> impl Fn(DuplexStream)
where
    F: Future<Output = Response<AnyBody>> + 'static,
{
    move |stream| {
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let answer = handler(request);
            async move { Ok::<_, std::convert::Infallible>(answer.await) }
        });
        let server =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        spawn_local(server.with_upgrades());
    }
}

/// A server of HTTP/2 in memory.
pub(crate) fn http2_server<F>(
    handler: impl Fn(Request<Incoming>) -> F + Clone + 'static,
) -> impl Fn(DuplexStream)
where
    F: Future<Output = Response<AnyBody>> + 'static,
{
    move |stream| {
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let answer = handler(request);
            async move { Ok::<_, std::convert::Infallible>(answer.await) }
        });
        let server =
            hyper::server::conn::http2::Builder::new(Local).serve_connection(TokioIo::new(stream), service);
        spawn_local(server);
    }
}

/// A server that says what it was asked: the request line, the headers in order, and the body.
pub(crate) async fn echo(request: Request<Incoming>) -> Response<AnyBody> {
    let (parts, body) = request.into_parts();
    let mut said = format!("{} {} {:?}\n", parts.method, parts.uri, parts.version);
    let mut headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort();
    said.extend(headers);
    said.push('\n');
    match body.collect().await {
        Ok(body) => {
            let trailers = body.trailers().cloned();
            said.push_str(&String::from_utf8_lossy(&body.to_bytes()));
            for (name, value) in trailers.iter().flatten() {
                said.push_str(&format!("\ntrailer {name}: {}", value.to_str().unwrap()));
            }
        }
        Err(error) => said.push_str(&format!("broken: {error}")),
    }
    Response::new(text(&said))
}

/// A server over loopback that does what it is told with each connection.
pub(crate) async fn raw_server<F>(serve: impl Fn(TcpStream) -> F + 'static) -> SocketAddr
where
    F: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            spawn_local(serve(stream));
        }
    });
    address
}

pub(crate) fn frontend(protocol: l7::Protocol, rules: Vec<l7::Rule>) -> l7::Frontend {
    let set = l7::RuleSet { source_namespace: String::new(), rules };
    let http = if set.rules.is_empty() { Vec::new() } else { vec![set] };
    l7::Frontend {
        namespace: "shop".into(),
        hostname: "reviews".into(),
        ports: vec![l7::FrontendPort {
            port: PORT.into(),
            protocol: protocol.into(),
            http,
            ..Default::default()
        }],
        authorizations: Vec::new(),
    }
}

/// To the service itself.
pub(crate) fn forward() -> l7::Forward {
    l7::Forward { backends: vec![weighted("reviews")], no_backend_status: 503, ..Default::default() }
}

pub(crate) fn weighted(hostname: &str) -> l7::WeightedBackend {
    l7::WeightedBackend {
        target: Some(l7::weighted_backend::Target::Backend(backend(hostname))),
        weight: 1,
        ..Default::default()
    }
}

pub(crate) fn backend(hostname: &str) -> l7::BackendRef {
    l7::BackendRef {
        namespace: "shop".into(),
        hostname: hostname.into(),
        port: PORT.into(),
        subset: String::new(),
    }
}

pub(crate) fn rule(action: l7::rule::Action) -> l7::Rule {
    l7::Rule { name: "VirtualService/shop/reviews".into(), action: Some(action), ..Default::default() }
}

impl Default for Setting {
    fn default() -> Self {
        Self { form: frontend(l7::Protocol::Detect, Vec::new()), config: Config::default(), json: false }
    }
}

impl Setting {
    fn settings(&self) -> Settings {
        Settings::compile(&self.form, &self.form.authorizations, &l7::Waypoint::default()).unwrap()
    }

    pub(crate) fn rule(rule: l7::Rule) -> Self {
        Self { form: frontend(l7::Protocol::Http, vec![rule]), ..Self::default() }
    }
}

pub(crate) fn get(path: &str) -> Request<AnyBody> {
    Request::builder().uri(path).header("host", "reviews").body(nothing()).unwrap()
}

pub(crate) async fn body_of(response: Response<Incoming>) -> String {
    String::from_utf8_lossy(&response.into_body().collect().await.unwrap().to_bytes()).into_owned()
}
