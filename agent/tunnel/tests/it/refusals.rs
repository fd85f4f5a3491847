//! Connections that may not be: the client always sees a reset, never a clean end.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use weir_tunnel::HBONE_PORT;

use crate::app::{End, echo, end, open, talking};
use crate::world::{World, workload};

/// Dials, sends early data, expects a reset.
pub(crate) async fn refused(vip: SocketAddr) {
    // A reset may come before the data is sent, or before connect() has returned.
    let mut socket = match tokio::net::TcpStream::connect(vip).await {
        Ok(socket) => socket,
        Err(e) => return assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset),
    };
    let _ = socket.write_all(b"early").await;
    assert_eq!(end(&mut socket).await, End::Rst);
}

#[tokio::test]
async fn a_closed_port() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    drop(app);
    refused(vip).await;
    world.a.line(&["Complete Outbound", "error CONNECT", "answered 503"]).await;
    world.b.line(&["Failed Inbound", "error CONNECT", "refused"]).await;
    assert!(world.a.metrics().contains("response_flags=\"CONNECT\""));
}

#[tokio::test]
async fn policy_says_no() {
    // The server's node knows the server under another trust domain, so nobody may come in.
    let world = World::new(
        |_| {},
        |node, workloads| {
            if node == 'b' {
                workloads[0].service_account = "somebody-else".into();
            }
        },
    )
    .await;
    let (app, vip) = world.service();
    echo(app);
    refused(vip).await;
    world.a.line(&["Complete Outbound", "error DENY", "answered 401"]).await;
    let why = "sa/client, but";
    world.b.line(&["Failed Inbound", "error DENY", why, "sa/somebody-else"]).await;
}

#[tokio::test]
async fn the_destination_does_not_know_the_pod() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    let mut socket = talking(vip).await;
    {
        let mut directory = world.b.directory.lock().unwrap();
        let mut changed = weir_model::Directory::clone(&directory);
        changed.remove_workload(world.b.pod.uid());
        *directory = std::sync::Arc::new(changed);
    }
    refused(vip).await;
    world.a.line(&["error CONNECT", "answered 503"]).await;
    // What was open stays open.
    socket.shutdown().await.unwrap();
    assert_eq!(end(&mut socket).await, End::Fin(b"".into()));
}

#[tokio::test]
async fn the_server_is_not_who_it_should_be() {
    let world = World::new(
        |_| {},
        |node, workloads| {
            if node == 'a' {
                workloads[1].service_account = "impostor".into();
            }
        },
    )
    .await;
    let (app, vip) = world.service();
    echo(app);
    refused(vip).await;
    world.a.line(&["Failed Outbound", "error TLS_FAILURE", "sa/impostor"]).await;
}

#[tokio::test]
async fn nobody_listens_on_15008() {
    let world = World::new(
        |_| {},
        |node, workloads| {
            if node == 'a' {
                let [.., last] = match workloads[1].addresses[0] {
                    std::net::IpAddr::V4(ip) => ip.octets(),
                    _ => unreachable!(),
                };
                assert_eq!(last, 2);
                workloads.remove(1);
                let gone = std::net::Ipv4Addr::new(127, 250, 250, 250);
                workloads.push(workload("server", "node-b", gone.into()));
            }
        },
    )
    .await;
    let (_app, vip) = world.service();
    refused(vip).await;
    world.a.line(&["Failed Outbound", "error CONNECT", "127.250.250.250:15008"]).await;
}

#[tokio::test]
async fn a_source_that_discovery_has_not_named() {
    let world = World::new(
        |_| {},
        |node, workloads| {
            if node == 'a' {
                workloads.remove(0);
            }
        },
    )
    .await;
    let (app, vip) = world.service();
    echo(app);
    refused(vip).await;
    world.a.line(&["Failed Outbound", "no workload Kubernetes//Pod/shop/client"]).await;
}

#[tokio::test]
async fn a_workload_without_certificate() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    let id = "spiffe://cluster.local/ns/shop/sa/client".parse().unwrap();
    world.a.shared.certificates.forget(&id);
    refused(vip).await;
    world.a.line(&["Failed Outbound", "error IDENTITY_ERROR", "sa/client"]).await;
}

#[tokio::test]
async fn the_pods_own_address() {
    let world = World::plain().await;
    let own = SocketAddr::new(world.client, 7777);
    world.a.listen(weir_tunnel::ListenerKind::Outbound, own);
    refused(own).await;
    world.a.line(&["Failed Outbound", "is loopback or the pod's own address"]).await;
}

#[tokio::test]
async fn the_meshs_own_port() {
    let world = World::plain().await;
    let vip = world.dial_as(HBONE_PORT);
    refused(vip).await;
    world.b.line(&["Failed Inbound", "port 15008 is the mesh's own"]).await;
}

#[tokio::test]
async fn a_client_that_speaks_no_tls() {
    let world = World::new(|c| c.tls_timeout = Duration::from_millis(100), |_, _| {}).await;
    let hbone = SocketAddr::new(world.server, HBONE_PORT);
    let mut socket = open(hbone).await;
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _ = end(&mut socket).await;
    world.b.line(&["Failed Inbound", "error TLS_FAILURE"]).await;
    let mut silent = open(hbone).await;
    let _ = end(&mut silent).await;
    world.b.line(&["Failed Inbound", "no handshake within 100ms"]).await;
}
