//! A program that ends tunnels itself, between the two nodes.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use http::StatusCode;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use weir_model::{GatewayAddress, GatewayDestination, Service, ServiceKey, Workload};
use weir_tunnel::core::authority::Authority;
use weir_tunnel::gateway::{Arrival, Gateway, Target};
use weir_tunnel::{HBONE_PORT, LocalPod, Worker};

use crate::app::{End, end, open, pattern};
use crate::world::{Node, Plain, World, workload};

/// The nodes, and `waypoint`, through which the service's clients have to go.
struct Waypoint {
    world: World,
    own: Arc<Workload>,
}

impl Waypoint {
    async fn new() -> Self {
        let world = World::new(
            |_| {},
            |_, workloads| {
                let ip = beside(workloads[0].addresses[0]);
                workloads.push(workload("waypoint", "node-c", ip));
            },
        )
        .await;
        let directory = (world.b.shared.directory)();
        let own = directory.workload("Kubernetes//Pod/shop/waypoint").unwrap().clone();
        let waypoint = Self { world, own };
        waypoint.bind(&waypoint.world.a);
        waypoint
    }

    /// Tells a node that the service has it.
    fn bind(&self, node: &Node) {
        let key = ServiceKey::new("shop", "server.shop.svc");
        node.change(|directory| {
            let destination = GatewayDestination::Address { network: "".into(), ip: self.own.addresses[0] };
            let waypoint = Some(GatewayAddress { destination, hbone_mtls_port: HBONE_PORT });
            let service = Service { waypoint, ..Service::clone(directory.service(&key).unwrap()) };
            directory.upsert_service(service);
        });
    }

    /// Runs the program, which does `serve` with each stream, beside `test`.
    async fn run<F: Future<Output = ()> + 'static>(
        &self,
        serve: impl Fn(Rc<Gateway>, Arrival) -> F + 'static,
        test: impl Future<Output = ()>,
    ) {
        let local = LocalSet::new();
        let listener = TcpListener::bind((self.own.addresses[0], HBONE_PORT)).await.unwrap();
        let pod = LocalPod::new(self.own.uid.clone(), Arc::new(Plain(self.own.addresses[0])));
        let shared = self.world.b.shared.clone();
        local.spawn_local(async move {
            let worker = Worker::new(shared);
            let gateway = Rc::new(Gateway::new(&worker, pod));
            let serve = Rc::new(serve);
            loop {
                let (socket, client) = listener.accept().await.unwrap();
                let (gateway, serve) = (gateway.clone(), serve.clone());
                tokio::task::spawn_local(async move {
                    let tunnels = gateway.clone();
                    let on_arrival = move |arrival| {
                        tokio::task::spawn_local(serve(gateway.clone(), arrival));
                    };
                    tunnels.serve(socket, client, on_arrival).await;
                });
            }
        });
        local.run_until(test).await;
    }

    /// Where a stream to the server's application goes.
    fn target(&self, port: u16, client: SocketAddr) -> Target {
        let directory = (self.world.b.shared.directory)();
        let server = directory.workload(self.world.b.pod.uid()).unwrap().clone();
        Target {
            addr: SocketAddr::new(self.world.server, port),
            expected: vec![server.identity()],
            workload: server,
            gateway: None,
            service: Some("server.shop.svc".into()),
            client,
            source: None,
            trace: weir_tunnel::core::trace::TraceParent::random(),
        }
    }
}

fn beside(ip: IpAddr) -> IpAddr {
    let IpAddr::V4(ip) = ip else { unreachable!() };
    let [a, b, c, _] = ip.octets();
    [a, b, c, 3].into()
}

#[tokio::test]
async fn a_connection_goes_through_a_waypoint_with_who_it_is_and_where_it_goes() {
    let waypoint = Waypoint::new().await;
    let (app, vip) = waypoint.world.service();
    let port = app.local_addr().unwrap().port();
    let expected_peer = waypoint.own.addresses[0];
    crate::app::serve(app, move |mut socket, peer| async move {
        assert_eq!(peer.ip(), expected_peer, "the server's application sees the waypoint");
        let (mut reader, mut writer) = socket.split();
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let target = waypoint.target(port, vip);
    let client = waypoint.world.client;
    let serve = move |gateway: Rc<Gateway>, arrival: Arrival| {
        let target = target.clone();
        async move {
            assert_eq!(arrival.identity().to_string(), "spiffe://cluster.local/ns/shop/sa/client");
            assert_eq!(arrival.client().ip(), client);
            assert_eq!(*arrival.authority(), Authority::Address(vip), "as it was dialled");
            let mut upstream = gateway.connect(&target).await.unwrap();
            let mut downstream = arrival.accept(None).unwrap();
            tokio::io::copy_bidirectional(&mut downstream, &mut upstream).await.unwrap();
        }
    };
    let data = pattern(3_000_000, 1);
    let test = async {
        let mut socket = open(vip).await;
        let (mut reader, mut writer) = socket.split();
        let send = async {
            writer.write_all(&data).await.unwrap();
            writer.shutdown().await.unwrap();
        };
        let mut got = Vec::new();
        let (_, read) = tokio::join!(send, tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut got));
        read.unwrap();
        assert!(got == data, "{} bytes came back", got.len());
        let bytes = "sent 3000000 recv 3000000 error -";
        waypoint
            .world
            .a
            .line(&["Complete Outbound", &vip.to_string(), "sa/client", "sa/waypoint", bytes])
            .await;
        waypoint.world.b.line(&["Complete Inbound", "sa/waypoint", "sa/server", bytes]).await;
    };
    waypoint.run(serve, test).await;
}

#[tokio::test]
async fn the_word_of_a_waypoint_counts_where_it_is_one() {
    for is_its_waypoint in [true, false] {
        let waypoint = Waypoint::new().await;
        if is_its_waypoint {
            waypoint.bind(&waypoint.world.b);
        }
        let (app, vip) = waypoint.world.service();
        let port = app.local_addr().unwrap().port();
        crate::app::serve(app, |mut socket, _| async move { socket.shutdown().await.unwrap() });
        let client: Arc<str> = "spiffe://cluster.local/ns/shop/sa/client".into();
        let target = Target { source: Some(client), ..waypoint.target(port, vip) };
        let serve = move |gateway: Rc<Gateway>, arrival: Arrival| {
            let target = target.clone();
            async move {
                let mut upstream = gateway.connect(&target).await.unwrap();
                let mut downstream = arrival.accept(None).unwrap();
                tokio::io::copy_bidirectional(&mut downstream, &mut upstream).await.unwrap();
            }
        };
        let test = async {
            let mut socket = open(vip).await;
            socket.shutdown().await.unwrap();
            let mut got = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut socket, &mut got).await.unwrap();
            let whose =
                if is_its_waypoint { "for spiffe://cluster.local/ns/shop/sa/client " } else { "for - " };
            waypoint.world.b.line(&["Complete Inbound", "sa/waypoint", whose, "error -"]).await;
            // The metrics have the peer, as Istio's do.
            let metrics = waypoint.world.b.metrics();
            assert!(
                metrics.contains("source_principal=\"spiffe://cluster.local/ns/shop/sa/waypoint\""),
                "{metrics}"
            );
            assert!(!metrics.contains("sa/client"), "{metrics}");
        };
        waypoint.run(serve, test).await;
    }
}

#[tokio::test]
async fn a_refusal_reaches_the_client() {
    let waypoint = Waypoint::new().await;
    let (_app, vip) = waypoint.world.service();
    let serve = |_, arrival: Arrival| async move { arrival.refuse(StatusCode::UNAUTHORIZED) };
    let test = async {
        let mut socket = open(vip).await;
        assert_eq!(end(&mut socket).await, End::Rst);
        waypoint.world.a.line(&["Complete Outbound", "401"]).await;
    };
    waypoint.run(serve, test).await;
}

#[tokio::test]
async fn who_drops_a_stream_resets_it() {
    let waypoint = Waypoint::new().await;
    let (_app, vip) = waypoint.world.service();
    let serve = |_, arrival: Arrival| async move {
        let mut stream = arrival.accept(None).unwrap();
        stream.write_all(b"half of it").await.unwrap();
        let mut byte = [0];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut byte).await.unwrap();
    };
    let test = async {
        let mut socket = open(vip).await;
        let mut got = [0; 10];
        tokio::io::AsyncReadExt::read_exact(&mut socket, &mut got).await.unwrap();
        socket.write_all(b"x").await.unwrap();
        assert_eq!(end(&mut socket).await, End::Rst, "not FIN: the answer is not whole");
    };
    waypoint.run(serve, test).await;
}

#[tokio::test]
async fn the_clients_reset_is_an_error_and_not_an_end() {
    let waypoint = Waypoint::new().await;
    let (_app, vip) = waypoint.world.service();
    let (seen, mut outcome) = tokio::sync::mpsc::unbounded_channel();
    let serve = move |_, arrival: Arrival| {
        let seen = seen.clone();
        async move {
            let mut stream = arrival.accept(None).unwrap();
            stream.write_all(b"x").await.unwrap();
            let mut rest = Vec::new();
            let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
            seen.send(read.map_err(|error| error.kind())).unwrap();
        }
    };
    let test = async {
        let mut socket = open(vip).await;
        let mut byte = [0];
        tokio::io::AsyncReadExt::read_exact(&mut socket, &mut byte).await.unwrap();
        socket2::SockRef::from(&socket).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(socket);
        assert_eq!(outcome.recv().await.unwrap(), Err(std::io::ErrorKind::ConnectionReset));
    };
    waypoint.run(serve, test).await;
}

#[tokio::test]
async fn an_endpoint_that_is_somebody_else_is_refused() {
    let waypoint = Waypoint::new().await;
    let (_app, vip) = waypoint.world.service();
    let stranger = "spiffe://cluster.local/ns/shop/sa/stranger".parse().unwrap();
    let target = Target { expected: vec![stranger], ..waypoint.target(1, vip) };
    let nobody = Target { expected: Vec::new(), ..target.clone() };
    let (seen, mut outcome) = tokio::sync::mpsc::unbounded_channel();
    let serve = move |gateway: Rc<Gateway>, arrival: Arrival| {
        let (seen, targets) = (seen.clone(), [target.clone(), nobody.clone()]);
        async move {
            for target in targets {
                seen.send(gateway.connect(&target).await.err().map(|e| e.to_string())).unwrap();
            }
            drop(arrival);
        }
    };
    let test = async {
        let mut socket = open(vip).await;
        for _ in 0..2 {
            let error = outcome.recv().await.unwrap().unwrap();
            assert!(error.contains("TLS"), "{error}");
        }
        assert_eq!(end(&mut socket).await, End::Rst);
        waypoint.world.a.line(&["Complete Outbound", "503"]).await;
    };
    waypoint.run(serve, test).await;
}
