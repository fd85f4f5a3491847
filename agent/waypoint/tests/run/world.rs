//! A client, a server, and the waypoint between them: pods of one process, each with an address of 127/8.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::registry::Registry;
use prost::Message;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use weir_discovery::Store;
use weir_discovery::on_demand::Asker as _;
use weir_identity::{Certificates, FileAuthority};
use weir_model::{
    Directory, GatewayAddress, GatewayDestination, Identity, Service, ServiceKey, TunnelProtocol, Workload,
};
use weir_proto::{l7, type_url};
use weir_tunnel::core::trace::TraceParent;
use weir_tunnel::gateway::{Gateway, Target};
use weir_tunnel::{HBONE_PORT, LocalPod, PodNetwork, Pods, TracingLog, TunnelError};
use weir_waypoint::run::{Feed, Parts, Serving, Waypoint};

pub(crate) const WEB: &str = "shop/web.shop.svc.cluster.local";
pub(crate) const VIP: &str = "10.96.0.9:80";

pub(crate) struct World {
    pub(crate) feed: Feed,
    pub(crate) waypoint: Waypoint,
    pub(crate) server: IpAddr,
    registry: Registry,
    store: Store,
    at: SocketAddr,
    client: Gateway,
    stranger: Gateway,
    _client_worker: weir_tunnel::Worker,
    _dir: tempfile::TempDir,
}

/// Sockets of a pod that is only an address.
struct Plain(IpAddr);

impl PodNetwork for Plain {
    fn dial(&self, _: SocketAddr) -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn deliver(&self, _: IpAddr, _: SocketAddr) -> io::Result<Socket> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn owns(&self, ip: IpAddr) -> bool {
        ip == self.0
    }

    fn is_self(&self, ip: IpAddr) -> bool {
        self.owns(ip)
    }
}

impl World {
    /// The waypoint knows nothing of what it is to serve. To be called in a `LocalSet`.
    pub(crate) async fn new(has_certificate: bool) -> Self {
        let net = subnet();
        let ip = |host: u8| IpAddr::from([127, net.0, net.1, host]);
        let [client, server, own, stranger] = [1, 2, 3, 4].map(ip);
        let dir = tempfile::tempdir().unwrap();
        let store = mesh([client, server, own, stranger]);
        let ca = Arc::new(FileAuthority::open_or_create(dir.path().join("ca")).unwrap());
        let certificates = Certificates::new(ca, weir_identity::Config::default()).unwrap();
        for name in ["client", "server", "stranger"] {
            let identity = store.load().workload(&uid(name)).unwrap().identity();
            certificates.fetch(&identity).await.unwrap();
        }
        if has_certificate {
            certificates.fetch(&identity("waypoint")).await.unwrap();
        }
        let worker = weir_tunnel::Worker::new(shared(&store, &certificates));
        let gateway = |name, ip| Gateway::new(&worker, LocalPod::new(uid(name), Arc::new(Plain(ip))));
        serve(gateway("server", server), TcpListener::bind((server, HBONE_PORT)).await.unwrap());

        let serving = Arc::<Serving>::default();
        let listener = std::net::TcpListener::bind((own, HBONE_PORT)).unwrap();
        let parts = Parts {
            uid: uid("waypoint").into(),
            store: store.clone(),
            certificates: certificates.clone(),
            serving: serving.clone(),
            network: Arc::new(Plain(own)),
            config: weir_waypoint::proxy::Config::default(),
            log: None,
        };
        let mut registry = Registry::default();
        let waypoint = Waypoint::start(parts, &listener, 2, &mut registry).unwrap();
        Self {
            feed: Feed::new("shop/wp", serving),
            waypoint,
            registry,
            server,
            store,
            at: listener.local_addr().unwrap(),
            client: gateway("client", client),
            stranger: gateway("stranger", stranger),
            _client_worker: worker,
            _dir: dir,
        }
    }

    /// The waypoint serves `web`, whose one endpoint is the server in the tunnel.
    pub(crate) async fn serving() -> Self {
        let mut world = Self::new(true).await;
        let endpoint = world.endpoint(8080);
        world.say(&[web()], &[], vec![endpoint]);
        world
    }

    pub(crate) fn endpoint(&self, port: u16) -> l7::Endpoint {
        let IpAddr::V4(ip) = self.server else { unreachable!() };
        l7::Endpoint {
            uid: uid("server"),
            addresses: vec![ip.octets().to_vec()],
            ports: [(80, u32::from(port))].into(),
            tunnel: true,
            identity: identity("server").to_string(),
            ..l7::Endpoint::default()
        }
    }

    /// All that the control plane says.
    pub(crate) fn say(
        &mut self,
        frontends: &[l7::Frontend],
        policies: &[l7::Authorization],
        endpoints: Vec<l7::Endpoint>,
    ) {
        let waypoint = l7::Waypoint {
            namespace: "shop".into(),
            name: "wp".into(),
            frontends: frontends.iter().map(|f| format!("{}/{}", f.namespace, f.hostname)).collect(),
            authorizations: policies.to_vec(),
            ..l7::Waypoint::default()
        };
        self.put(type_url::WAYPOINT, "shop/wp", &waypoint);
        for frontend in frontends {
            self.put(type_url::FRONTEND, WEB, frontend);
        }
        let clusters = vec![l7::Cluster { port: 80, ..l7::Cluster::default() }];
        self.put(type_url::BACKEND, WEB, &l7::Backend { clusters, ..l7::Backend::default() });
        self.put(type_url::ENDPOINTS, WEB, &l7::Endpoints { endpoints, ..l7::Endpoints::default() });
        self.feed.settle();
    }

    pub(crate) fn put(&mut self, type_url: &'static str, name: &str, message: &impl Message) {
        self.feed.put(type_url, name, &Bytes::from(message.encode_to_vec())).unwrap();
    }

    /// Opens a stream to the waypoint, as the client's node does.
    pub(crate) async fn open(&self, to: &str) -> Result<weir_tunnel::gateway::TunnelStream, TunnelError> {
        self.client.connect(&self.target(to)).await
    }

    /// Lines of the waypoint's metrics page with this name.
    pub(crate) fn metric(&self, name: &str) -> Vec<String> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'));
        text.lines().filter(of_name).map(str::to_owned).collect()
    }

    /// As somebody of another trust domain.
    pub(crate) async fn open_as_stranger(&self) -> Result<(), TunnelError> {
        self.stranger.connect(&self.target(VIP)).await.map(drop)
    }

    fn target(&self, to: &str) -> Target {
        Target {
            workload: Arc::new(Workload::pod("shop", "waypoint")),
            addr: to.parse().unwrap(),
            expected: vec![identity("waypoint")],
            gateway: Some(self.at),
            service: None,
            client: "10.0.0.1:1".parse().unwrap(),
            source: None,
            trace: TraceParent::random(),
        }
    }

    /// Calls of the server's own address go through the waypoint from now on.
    pub(crate) fn bind_server(&self) {
        let mut directory = Directory::clone(&self.store.load());
        let mut server = Workload::clone(directory.workload(&uid("server")).unwrap());
        let destination = GatewayDestination::Address { network: "".into(), ip: self.at.ip() };
        server.waypoint = Some(Box::new(GatewayAddress { destination, hbone_mtls_port: HBONE_PORT }));
        directory.upsert_workload(server);
        self.store.publish(Arc::new(directory));
    }

    /// One request, and everything that comes back.
    pub(crate) async fn get(&self, path: &str) -> String {
        self.get_from(VIP, path).await
    }

    /// The same, of somebody.
    pub(crate) async fn get_from(&self, to: &str, path: &str) -> String {
        let mut stream = self.open(to).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(Duration::from_secs(20), read).await.expect("an answer").unwrap();
        answer
    }
}

/// Runs a test with its world in one thread.
pub(crate) async fn run<F: Future<Output = ()>>(test: F) {
    tokio::task::LocalSet::new().run_until(test).await;
}

/// The service without routes of its own.
pub(crate) fn web() -> l7::Frontend {
    l7::Frontend {
        namespace: "shop".into(),
        hostname: "web.shop.svc.cluster.local".into(),
        ports: vec![l7::FrontendPort {
            port: 80,
            protocol: l7::Protocol::Http.into(),
            ..l7::FrontendPort::default()
        }],
        ..l7::Frontend::default()
    }
}

pub(crate) fn uid(name: &str) -> String {
    format!("Kubernetes//Pod/shop/{name}")
}

pub(crate) fn identity(name: &str) -> Identity {
    Identity::new("cluster.local", "shop", name).unwrap()
}

/// Not from a file: that takes no addresses of loopback.
fn mesh(ips: [IpAddr; 4]) -> Store {
    let mut directory = Directory::new();
    for (name, ip) in ["client", "server", "waypoint", "stranger"].into_iter().zip(ips) {
        let mut workload = Workload::pod("shop", name);
        workload.addresses = vec![ip];
        workload.service_account = name.into();
        workload.tunnel_protocol = TunnelProtocol::Hbone;
        if name == "stranger" {
            workload.trust_domain = "elsewhere".into();
        }
        directory.upsert_workload(workload);
    }
    for (name, vip) in [("web", [10, 96, 0, 9]), ("other", [10, 96, 0, 10])] {
        let mut service = Service::new(ServiceKey::new("shop", &format!("{name}.shop.svc.cluster.local")));
        service.vips = vec![("".into(), vip.into())];
        directory.upsert_service(service);
    }
    let store = Store::default();
    store.publish(Arc::new(directory));
    store
}

fn shared(store: &Store, certificates: &Arc<Certificates>) -> Arc<weir_tunnel::Shared> {
    let readable = store.clone();
    Arc::new(weir_tunnel::Shared {
        config: weir_tunnel::Config::default(),
        changes: store.changes(),
        directory: Arc::new(move || readable.load()),
        certificates: certificates.clone(),
        metrics: weir_tunnel::Metrics::register(&mut Registry::default()),
        access_log: Arc::new(TracingLog),
        pods: Pods::default(),
        limits: Default::default(),
    })
}

/// The server's node: answers each request on a stream with who came in, and where to.
fn serve(gateway: Gateway, listener: TcpListener) {
    let gateway = Rc::new(gateway);
    tokio::task::spawn_local(async move {
        while let Ok((socket, client)) = listener.accept().await {
            let gateway = gateway.clone();
            let on_arrival = |arrival: weir_tunnel::gateway::Arrival| {
                let who = format!("{} {}", arrival.identity(), arrival.authority());
                let stream = arrival.accept(None).unwrap();
                tokio::task::spawn_local(answer(stream, who));
            };
            tokio::task::spawn_local(async move { gateway.serve(socket, client, on_arrival).await });
        }
    });
}

/// HTTP/1.1 of the simplest kind, for requests without a body.
pub(crate) async fn answer(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    body: String,
) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while stream.read_exact(&mut byte).await.is_ok() {
        head.push(byte[0]);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}

/// Two bytes of an address that no other world of this machine uses at the moment.
fn subnet() -> (u8, u8) {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    ((std::process::id() % 200) as u8 + 20, NEXT.fetch_add(1, Ordering::Relaxed))
}
