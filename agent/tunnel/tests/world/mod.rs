//! Two nodes in one process, with real sockets on loopback and real TLS.
//!
//! A pod has an address of 127/8. What the datapath captures is played by listeners on virtual addresses:
//! whoever connects to one of those reaches the pod's outbound listener, with the right original destination.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus_client::registry::Registry;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;
use weir_identity::{Certificates, FileAuthority};
use weir_model::{Directory, PortMapping, Service, ServiceKey, TunnelProtocol, Workload};
use weir_tunnel::{
    AccessLog, Config, HBONE_PORT, ListenerKind, LocalPod, Metrics, Moment, PodNetwork, Pods, Record, Shared,
    Workers,
};

/// Sockets of a pod that is only an address.
pub(crate) struct Plain(pub(crate) IpAddr);

impl PodNetwork for Plain {
    fn dial(&self, _: SocketAddr) -> io::Result<Socket> {
        plain()
    }

    fn deliver(&self, client: IpAddr, _: SocketAddr) -> io::Result<Socket> {
        let socket = plain()?;
        socket.bind(&SocketAddr::new(client, 0).into())?;
        Ok(socket)
    }

    fn owns(&self, ip: IpAddr) -> bool {
        ip == self.0
    }

    fn is_self(&self, ip: IpAddr) -> bool {
        self.owns(ip)
    }
}

fn plain() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    choose_port_at_connect(&socket)?;
    Ok(socket)
}

/// As the datapath does: else bind() looks for a port that no socket of the address ever had.
fn choose_port_at_connect(socket: &Socket) -> io::Result<()> {
    let (fd, on, len) = (socket.as_raw_fd(), 1_i32, size_of::<i32>() as u32);
    let option = libc::IP_BIND_ADDRESS_NO_PORT;
    // SAFETY: the descriptor is open, and the value is an int that lives through the call.
    let result = unsafe { libc::setsockopt(fd, libc::SOL_IP, option, (&raw const on).cast(), len) };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The lines of the access log.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<String>>);

impl AccessLog for Lines {
    fn wants(&self, moment: Moment) -> bool {
        moment != Moment::Opened
    }

    fn write(&self, r: &Record<'_>) {
        let line = format!(
            "{:?} {:?} {} -> {} via {} from {:?} to {:?} for {} sent {} recv {} error {}",
            r.moment,
            r.direction,
            r.src_addr.ip(),
            r.hbone_addr.unwrap_or(r.dst_addr),
            r.dst_addr.port(),
            r.src_identity,
            r.dst_identity,
            r.origin.map_or("-".to_owned(), ToString::to_string),
            r.bytes_sent,
            r.bytes_recv,
            r.error.map_or("-".to_owned(), |e| format!("{} {e}", e.flags())),
        );
        self.0.lock().unwrap().push(line);
    }
}

/// One node: an agent's tunnel.
pub(crate) struct Node {
    pub(crate) shared: Arc<Shared>,
    pub(crate) workers: Workers,
    pub(crate) pod: Arc<LocalPod>,
    pub(crate) lines: Arc<Lines>,
    pub(crate) registry: Registry,
    pub(crate) directory: Arc<Mutex<Arc<Directory>>>,
    changes: watch::Sender<()>,
}

/// A client's node, a server's node.
pub(crate) struct World {
    pub(crate) a: Node,
    pub(crate) b: Node,
    pub(crate) client: IpAddr,
    pub(crate) server: IpAddr,
    _dir: tempfile::TempDir,
}

impl World {
    /// `tune` may change the settings of both nodes, `edit` what they know of the mesh.
    pub(crate) async fn new(tune: impl Fn(&mut Config), edit: impl Fn(char, &mut Vec<Workload>)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = Arc::new(FileAuthority::open_or_create(dir.path()).unwrap());
        let certificates = Certificates::new(ca, Default::default()).unwrap();
        let net = subnet();
        let address = |host| IpAddr::V4(Ipv4Addr::new(127, net.0, net.1, host));
        let (client, server) = (address(1), address(2));
        let base = vec![workload("client", "node-a", client), workload("server", "node-b", server)];
        let mut nodes = Vec::new();
        for (name, ip) in [('a', client), ('b', server)] {
            let mut workloads = base.clone();
            edit(name, &mut workloads);
            for w in base.iter().chain(&workloads) {
                certificates.fetch(&w.identity()).await.unwrap();
            }
            let directory = directory(&workloads, address(100));
            let mut config = Config::default();
            tune(&mut config);
            nodes.push(node(config, directory, &certificates, &base, ip));
        }
        let (b, a) = (nodes.pop().unwrap(), nodes.pop().unwrap());
        let world = Self { a, b, client, server, _dir: dir };
        let hbone = SocketAddr::new(server, HBONE_PORT);
        world.b.listen(ListenerKind::Hbone, hbone);
        world
    }

    /// The default world.
    pub(crate) async fn plain() -> Self {
        Self::new(|_| {}, |_, _| {}).await
    }

    /// A listener for the server's application, and the address at which the client dials it.
    pub(crate) fn service(&self) -> (std::net::TcpListener, SocketAddr) {
        let app = std::net::TcpListener::bind((self.server, 0)).unwrap();
        let vip = self.dial_as(app.local_addr().unwrap().port());
        (app, vip)
    }

    /// The virtual address with this port, captured for the client.
    pub(crate) fn dial_as(&self, port: u16) -> SocketAddr {
        let IpAddr::V4(ip) = self.client else { unreachable!() };
        let [_, x, y, _] = ip.octets();
        let vip = SocketAddr::from(([127, x, y, 100], port));
        self.a.serve_port(port);
        self.a.listen(ListenerKind::Outbound, vip);
        vip
    }
}

impl Node {
    /// Gives a listener to the node's worker.
    pub(crate) fn listen(&self, kind: ListenerKind, addr: SocketAddr) {
        let listener = std::net::TcpListener::bind(addr).unwrap();
        self.workers.serve(0, self.pod.clone(), kind, listener);
    }

    /// Publishes another picture of the mesh.
    pub(crate) fn change<T>(&self, edit: impl FnOnce(&mut Directory) -> T) -> T {
        let mut directory = self.directory.lock().unwrap();
        let mut changed = Directory::clone(&directory);
        let result = edit(&mut changed);
        *directory = Arc::new(changed);
        drop(directory);
        self.changes.send_replace(());
        result
    }

    /// Adds a port to the service.
    fn serve_port(&self, port: u16) {
        self.change(|changed| {
            let key = ServiceKey::new("shop", "server.shop.svc");
            let mut service = Service::clone(changed.service(&key).unwrap());
            service.ports.push(PortMapping {
                service_port: port,
                target_port: port,
                app_protocol: Default::default(),
            });
            changed.upsert_service(service);
        });
    }

    /// Waits for a line of the log that contains all of `parts`.
    pub(crate) async fn line(&self, parts: &[&str]) -> String {
        for _ in 0..500 {
            let lines = self.lines.0.lock().unwrap().clone();
            if let Some(line) = lines.iter().find(|l| parts.iter().all(|p| l.contains(p))) {
                return line.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no line with {parts:?} in {:#?}", self.lines.0.lock().unwrap());
    }

    /// The metrics as text.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

fn node(
    config: Config,
    directory: Directory,
    certificates: &Arc<Certificates>,
    base: &[Workload],
    ip: IpAddr,
) -> Node {
    let mut registry = Registry::default();
    let lines = Arc::new(Lines::default());
    let directory = Arc::new(Mutex::new(Arc::new(directory)));
    let reader = directory.clone();
    let changes = watch::Sender::new(());
    let shared = Arc::new(Shared {
        config,
        changes: changes.subscribe(),
        directory: Arc::new(move || reader.lock().unwrap().clone()),
        certificates: certificates.clone(),
        metrics: Metrics::register(&mut registry),
        access_log: lines.clone(),
        pods: Pods::default(),
        limits: Default::default(),
    });
    let own = base.iter().find(|w| w.addresses.contains(&ip)).unwrap();
    let pod = LocalPod::new(own.uid.clone(), Arc::new(Plain(ip)));
    shared.pods.insert(pod.clone());
    let workers = Workers::start(&shared, 1).unwrap();
    Node { shared, workers, pod, lines, registry, directory, changes }
}

/// A workload of the namespace `shop`, with a service account of its own name.
pub(crate) fn workload(name: &str, node: &str, ip: IpAddr) -> Workload {
    let mut workload = Workload::pod("shop", name);
    workload.addresses = vec![ip];
    workload.node = node.into();
    workload.service_account = name.into();
    workload.tunnel_protocol = TunnelProtocol::Hbone;
    workload
}

/// The service `shop/server.shop.svc` is served by every workload called `server`; its ports come later.
fn directory(workloads: &[Workload], vip: IpAddr) -> Directory {
    let key = ServiceKey::new("shop", "server.shop.svc");
    let mut service = Service::new(key.clone());
    service.vips = vec![("".into(), vip)];
    let mut directory = Directory::new();
    directory.upsert_service(service);
    for workload in workloads {
        let mut workload = workload.clone();
        if &*workload.name == "server" {
            std::sync::Arc::make_mut(&mut workload.services).insert(key.clone(), Vec::new());
        }
        directory.upsert_workload(workload);
    }
    directory
}

/// Two bytes of an address that no other world of this machine uses at the moment.
fn subnet() -> (u8, u8) {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let process = (std::process::id() % 200) as u8 + 20;
    (process, NEXT.fetch_add(1, Ordering::Relaxed))
}
