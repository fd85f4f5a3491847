//! What needs no tunnel: same node, outside the mesh, plaintext.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use weir_model::MtlsMode;
use weir_tunnel::{ListenerKind, LocalPod};

use crate::app::{End, echo, end, open, pattern, serve};
use crate::world::{Plain, World};

async fn ask(addr: SocketAddr, bytes: &[u8]) -> End {
    let mut socket = open(addr).await;
    socket.write_all(bytes).await.unwrap();
    socket.shutdown().await.unwrap();
    end(&mut socket).await
}

#[tokio::test]
async fn same_node_is_handed_over_and_reported_twice() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    let target = app.local_addr().unwrap();
    let client = world.client;
    serve(app, move |mut socket, peer| async move {
        assert_eq!(peer.ip(), client);
        let (mut reader, mut writer) = socket.split();
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
    });
    let server = LocalPod::new(world.b.pod.uid().clone(), Arc::new(Plain(world.server)));
    world.a.shared.pods.insert(server);
    let data = pattern(3_000_000, 1);
    assert!(ask_big(vip, &data).await == End::Fin(data));
    let bytes = "sent 3000000 recv 3000000 error -";
    let out = format!("-> {target} via 15008");
    world.a.line(&["Complete Outbound", &out, "sa/client", "sa/server", bytes]).await;
    let inb = format!("Complete Inbound {client} -> {target} via 15008");
    world.a.line(&[&inb, "sa/client", "sa/server", bytes]).await;
    assert_eq!(world.b.metrics().matches("opened_total{").count(), 0, "no tunnel");
}

async fn ask_big(addr: SocketAddr, bytes: &[u8]) -> End {
    let socket = open(addr).await;
    let (mut reader, mut writer) = socket.into_split();
    let bytes = bytes.to_vec();
    tokio::spawn(async move {
        writer.write_all(&bytes).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let mut got = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut got).await.unwrap();
    End::Fin(got)
}

#[tokio::test]
async fn same_node_asks_the_same_policy() {
    let world = World::new(
        |_| {},
        |node, workloads| {
            if node == 'a' {
                workloads[1].authorization_policies = vec!["shop/deny".into()];
            }
        },
    )
    .await;
    let (app, vip) = world.service();
    echo(app);
    let server = LocalPod::new(world.b.pod.uid().clone(), Arc::new(Plain(world.server)));
    world.a.shared.pods.insert(server);
    crate::refusals::refused(vip).await;
    world.a.line(&["Failed Outbound", "error DENY"]).await;
    world.a.line(&["Failed Inbound", "error DENY"]).await;
}

#[tokio::test]
async fn outside_the_mesh_is_passed_through() {
    let world = World::plain().await;
    // The listener stands where the kernel would bring the connection; the real server is behind the same
    // address for everybody but the pod, which loopback cannot play: so the server is bound first, with the
    // captured side on another address that routes to it.
    let outside = std::net::TcpListener::bind("127.251.0.1:0").unwrap();
    let addr = outside.local_addr().unwrap();
    echo(outside);
    let directory = {
        let mut directory = weir_model::Directory::clone(&world.a.directory.lock().unwrap());
        let mut plain = crate::world::workload("plain", "node-c", addr.ip());
        plain.tunnel_protocol = weir_model::TunnelProtocol::None;
        let key = weir_model::ServiceKey::new("shop", "plain.shop.svc");
        std::sync::Arc::make_mut(&mut plain.services).insert(key.clone(), Vec::new());
        let mut service = weir_model::Service::new(key);
        let vip = IpAddr::V4(Ipv4Addr::new(127, 251, 0, 2));
        service.vips = vec![("".into(), vip)];
        service.ports = vec![weir_model::PortMapping {
            service_port: addr.port(),
            target_port: addr.port(),
            app_protocol: Default::default(),
        }];
        directory.upsert_service(service);
        directory.upsert_workload(plain);
        directory
    };
    *world.a.directory.lock().unwrap() = Arc::new(directory);
    let vip = SocketAddr::from(([127, 251, 0, 2], addr.port()));
    world.a.listen(ListenerKind::Outbound, vip);
    assert_eq!(ask(vip, b"hello").await, End::Fin(b"hello".into()));
    let line = world.a.line(&["Complete Outbound", "sent 5 recv 5 error -"]).await;
    assert!(line.contains("from None to None"), "{line}");
}

/// That PERMISSIVE lets it in is shown where the application can be on the captured port: tests/netns.
#[tokio::test]
async fn plaintext_to_strict_is_reset() {
    let world = World::new(
        |_| {},
        |_, workloads| {
            workloads[1].peer_authentication.mode = MtlsMode::Strict;
        },
    )
    .await;
    let target = SocketAddr::new(world.server, 7070);
    world.b.listen(ListenerKind::Plaintext, target);
    crate::refusals::refused(target).await;
    world.b.line(&["Failed Inbound", "error DENY", "STRICT"]).await;
}
