//! What a DestinationRule says of connections, where no waypoint is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use weir_model::{Audience, ConnectionPolicy, OutlierPolicy, Service, ServiceKey, Workload};
use weir_tunnel::HBONE_PORT;

use crate::app::{End, echo, end, talking};
use crate::refusals::refused;
use crate::world::{World, workload};

fn key() -> ServiceKey {
    ServiceKey::new("shop", "server.shop.svc")
}

fn rule(policy: ConnectionPolicy) -> ConnectionPolicy {
    ConnectionPolicy { origin: "DestinationRule/shop/server".into(), ..policy }
}

/// Says it at this port of the service, or (`None`) nothing any more.
fn say(world: &World, port: u16, policy: Option<ConnectionPolicy>) {
    let audience = |policy| Audience { namespaces: Vec::new(), ports: vec![(port, Arc::new(rule(policy)))] };
    world.a.change(|directory| {
        let service = Service::clone(directory.service(&key()).unwrap());
        directory.upsert_service(Service { audiences: policy.map(audience).into_iter().collect(), ..service })
    });
}

/// Another endpoint of the service, at an address where nobody listens on any port.
fn endpoint(world: &World, host: u8) -> (Workload, IpAddr) {
    let IpAddr::V4(ip) = world.client else { unreachable!() };
    let [_, x, y, _] = ip.octets();
    let ip = IpAddr::V4(Ipv4Addr::new(127, x, y, host));
    let services = Arc::new([(key(), Vec::new())].into());
    (Workload { services, ..workload(&format!("other-{host}"), "node-c", ip) }, ip)
}

#[tokio::test]
async fn no_more_connections_than_there_may_be() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    say(&world, vip.port(), Some(ConnectionPolicy { max_connections: Some(1), ..Default::default() }));
    let mut first = talking(vip).await;
    refused(vip).await;
    let why = "service shop/server.shop.svc port";
    world.a.line(&["Failed Outbound", "error UO", why, "as DestinationRule/shop/server says (1)"]).await;
    assert!(world.a.metrics().contains("response_flags=\"UO\""));
    // Its end makes room.
    first.shutdown().await.unwrap();
    assert_eq!(end(&mut first).await, End::Fin(b"".into()));
    world.a.line(&["Complete Outbound", "error -"]).await;
    let second = talking(vip).await;
    refused(vip).await;
    // Without the rule there is room for everybody.
    say(&world, vip.port(), None);
    let third = talking(vip).await;
    drop((second, third));
}

#[tokio::test]
async fn who_gives_a_connection_up_makes_room() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    say(&world, vip.port(), Some(ConnectionPolicy { max_connections: Some(1), ..Default::default() }));
    drop(talking(vip).await);
    world.a.line(&["Complete Outbound"]).await;
    talking(vip).await;
}

#[tokio::test]
async fn a_node_that_says_nothing_is_given_up_in_time() {
    let world = World::plain().await;
    let (_app, vip) = world.service();
    // It takes TCP, and no TLS.
    let (silent, ip) = endpoint(&world, 9);
    let _silent = std::net::TcpListener::bind(SocketAddr::new(ip, HBONE_PORT)).unwrap();
    world.a.change(|directory| {
        let server = directory.endpoints(&key()).next().unwrap().uid.clone();
        directory.remove_workload(&server);
        directory.upsert_workload(silent);
    });
    let limit = Duration::from_millis(300);
    say(&world, vip.port(), Some(ConnectionPolicy { connect_timeout: Some(limit), ..Default::default() }));
    refused(vip).await;
    let why = "not connected within 300ms, which is the connectTimeout of DestinationRule/shop/server";
    world.a.line(&["Failed Outbound", "error CONNECT", why]).await;
}

#[tokio::test]
async fn an_application_that_takes_no_connection_is_given_up_in_time() {
    let world = World::plain().await;
    // Its queue is full: the server's node waits for it.
    let app = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    app.bind(&SocketAddr::new(world.server, 0).into()).unwrap();
    app.listen(0).unwrap();
    let addr = app.local_addr().unwrap().as_socket().unwrap();
    let _queued = std::net::TcpStream::connect(addr).unwrap();
    let vip = world.dial_as(addr.port());
    let limit = Duration::from_millis(500);
    say(&world, vip.port(), Some(ConnectionPolicy { connect_timeout: Some(limit), ..Default::default() }));
    refused(vip).await;
    world.a.line(&["Complete Outbound", "error CONNECT", "not connected within 500ms"]).await;
}

#[tokio::test]
async fn an_endpoint_that_fails_is_left_out() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    let (gone, ip) = endpoint(&world, 9);
    world.a.change(|directory| directory.upsert_workload(gone));
    let outlier = OutlierPolicy {
        consecutive_failures: 2,
        interval: Duration::from_secs(10),
        base_ejection_time: Duration::from_secs(600),
        max_ejection_percent: 100,
        min_health_percent: 0,
    };
    let policy = ConnectionPolicy { outlier: Some(outlier), ..Default::default() };
    say(&world, vip.port(), Some(policy.clone()));
    let ejections = r#"weir_endpoint_ejections_total{destination_service="server.shop.svc",destination_service_namespace="shop",destination_service_name="server"} 1"#;
    let mut failures = 0;
    // By chance the other is chosen: one in two each time.
    for _ in 0..200 {
        failures += usize::from(!answers(vip).await);
        if world.a.metrics().contains(ejections) {
            break;
        }
    }
    assert_eq!(failures, 2);
    world.a.line(&["Failed Outbound", "error CONNECT", &format!("{ip}:15008")]).await;
    for _ in 0..30 {
        assert!(answers(vip).await);
    }
    // Without the rule everybody serves again.
    say(&world, vip.port(), None);
    let mut again = 0;
    while again < 200 && answers(vip).await {
        again += 1;
    }
    assert!(again < 200, "the endpoint is never chosen");
    // If nobody is left, nobody is asked, and nothing goes elsewhere.
    let server = world.b.pod.uid().clone();
    say(&world, vip.port(), Some(policy));
    world.a.change(|directory| directory.remove_workload(&server));
    refused(vip).await;
    world.a.line(&["Failed Outbound", "error UH", "no healthy upstream: 1 endpoints"]).await;
}

#[tokio::test]
async fn a_refusal_by_policy_says_nothing_of_the_endpoint() {
    let strangers = |node, workloads: &mut Vec<Workload>| {
        if node == 'b' {
            workloads[0].service_account = "somebody-else".into();
        }
    };
    let world = World::new(|_| {}, strangers).await;
    let (app, vip) = world.service();
    echo(app);
    let outlier = OutlierPolicy {
        consecutive_failures: 1,
        interval: Duration::from_secs(10),
        base_ejection_time: Duration::from_secs(600),
        max_ejection_percent: 100,
        min_health_percent: 0,
    };
    say(&world, vip.port(), Some(ConnectionPolicy { outlier: Some(outlier), ..Default::default() }));
    refused(vip).await;
    refused(vip).await;
    world.a.line(&["Complete Outbound", "error DENY", "answered 401"]).await;
    assert!(!world.a.metrics().contains("weir_endpoint_ejections_total{"));
}

/// Whether an echo comes back; a reset does not.
async fn answers(vip: SocketAddr) -> bool {
    let Ok(mut socket) = tokio::net::TcpStream::connect(vip).await else { return false };
    let _ = socket.write_all(b"hello").await;
    let _ = socket.shutdown().await;
    end(&mut socket).await == End::Fin(b"hello".into())
}
