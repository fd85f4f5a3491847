//! Bytes and ends through a tunnel.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use crate::app::{End, echo, end, open, pattern, reset, serve, serve_one};
use crate::world::World;

#[tokio::test]
async fn an_echo_and_who_is_who() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    let target = app.local_addr().unwrap();
    let seen = serve_one(app, |mut socket, peer| async move {
        let mut four = [0; 4];
        socket.read_exact(&mut four).await.unwrap();
        socket.write_all(b"pong!").await.unwrap();
        peer.ip()
    });
    let mut socket = open(vip).await;
    socket.write_all(b"ping").await.unwrap();
    socket.shutdown().await.unwrap();
    assert_eq!(end(&mut socket).await, End::Fin(b"pong!".into()));
    assert_eq!(seen.await.unwrap(), world.client, "the application sees the client");

    let ids = [
        "from Some(spiffe://cluster.local/ns/shop/sa/client)",
        "to Some(spiffe://cluster.local/ns/shop/sa/server)",
    ];
    let out = format!("-> {target} via 15008");
    world.a.line(&["Complete Outbound", &out, ids[0], ids[1], "sent 4 recv 5 error -"]).await;
    let inb = format!("Complete Inbound {} -> {target} via 15008", world.client);
    world.b.line(&[&inb, ids[0], ids[1], "sent 5 recv 4 error -"]).await;

    let metrics = world.b.metrics();
    let received = metrics.lines().find(|l| l.starts_with("istio_tcp_received_bytes_total"));
    let received = received.unwrap();
    for label in [
        "reporter=\"destination\"",
        "source_principal=\"spiffe://cluster.local/ns/shop/sa/client\"",
        "destination_service=\"server.shop.svc\"",
        "connection_security_policy=\"mutual_tls\"",
        "source_region=\"unknown\"",
        "} 4",
    ] {
        assert!(received.contains(label), "{label} in {received}");
    }
    assert!(metrics.contains("istio_tcp_connections_opened_total{"));
    assert!(metrics.contains("istio_tcp_sockets_open{reporter=\"destination\"} 0"));
}

const MANY: usize = 20_000_000;

#[tokio::test]
async fn half_close_up_then_down() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    serve(app, |mut socket, _| async move {
        let mut got = Vec::new();
        socket.read_to_end(&mut got).await.unwrap();
        assert!(got == pattern(MANY, 1), "up");
        socket.write_all(&pattern(MANY, 2)).await.unwrap();
    });
    let mut socket = open(vip).await;
    socket.write_all(&pattern(MANY, 1)).await.unwrap();
    socket.shutdown().await.unwrap();
    assert!(end(&mut socket).await == End::Fin(pattern(MANY, 2)), "down");
    world.a.line(&["Complete Outbound", "sent 20000000 recv 20000000 error -"]).await;
}

#[tokio::test]
async fn half_close_down_then_up() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    let finished = serve_one(app, |mut socket, _| async move {
        socket.write_all(&pattern(MANY, 3)).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut got = Vec::new();
        socket.read_to_end(&mut got).await.unwrap();
        got == pattern(MANY, 4)
    });
    let mut socket = open(vip).await;
    assert!(end(&mut socket).await == End::Fin(pattern(MANY, 3)), "down");
    socket.write_all(&pattern(MANY, 4)).await.unwrap();
    drop(socket);
    assert!(finished.await.unwrap(), "up");
    world.b.line(&["Complete Inbound", "error -"]).await;
}

#[tokio::test]
async fn a_clients_reset_reaches_the_application() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    let ended = serve_one(app, |mut socket, _| async move {
        socket.write_all(b"x").await.unwrap();
        end(&mut socket).await
    });
    let mut socket = open(vip).await;
    socket.read_exact(&mut [0]).await.unwrap();
    reset(socket);
    assert_eq!(ended.await.unwrap(), End::Rst);
    world.b.line(&["Complete Inbound", "error - the stream failed"]).await;
}

#[tokio::test]
async fn the_applications_reset_reaches_the_client() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    serve(app, |mut socket, _| async move {
        socket.read_exact(&mut [0]).await.unwrap();
        reset(socket);
    });
    let mut socket = open(vip).await;
    socket.write_all(b"x").await.unwrap();
    assert_eq!(end(&mut socket).await, End::Rst);
    world.b.line(&["Complete Inbound", "the application's connection failed"]).await;
}

#[tokio::test]
async fn a_reset_after_a_half_close_is_still_a_reset() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    let ended = serve_one(app, |mut socket, _| async move {
        assert_eq!(end(&mut socket).await, End::Fin(b"x".into()));
        // Silent from here: only the tunnel can tell.
        socket.ready(tokio::io::Interest::ERROR).await.unwrap();
        socket.take_error().unwrap()
    });
    let mut socket = open(vip).await;
    socket.write_all(b"x").await.unwrap();
    socket.shutdown().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    reset(socket);
    let error = ended.await.unwrap().unwrap();
    // After a FIN the kernel calls a RST EPIPE.
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_slow_reader_slows_the_writer_and_loses_nothing() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    let (go, start) = oneshot::channel::<()>();
    let received = serve_one(app, |mut socket, _| async move {
        start.await.unwrap();
        let mut got = Vec::new();
        socket.read_to_end(&mut got).await.unwrap();
        got
    });
    let mut socket = open(vip).await;
    let data = pattern(64 << 20, 5);
    let mut sent = 0;
    // The writer is stopped by windows and socket buffers, long before the end.
    let stuck = Duration::from_millis(500);
    while let Ok(n) = tokio::time::timeout(stuck, socket.write(&data[sent..])).await {
        sent += n.unwrap();
        assert!(sent < data.len(), "nothing stopped the writer");
    }
    assert!(sent < 48 << 20, "{sent} bytes were taken for a reader that read none");
    go.send(()).unwrap();
    socket.write_all(&data[sent..]).await.unwrap();
    socket.shutdown().await.unwrap();
    assert!(received.await.unwrap() == data);
}

#[tokio::test]
async fn a_reset_behind_a_full_window_is_seen_at_once() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    let ended = serve_one(app, |socket, _| async move {
        // Reads nothing, ever.
        socket.ready(tokio::io::Interest::ERROR).await.unwrap();
    });
    let mut socket = open(vip).await;
    let stuck = Duration::from_millis(300);
    while tokio::time::timeout(stuck, socket.write(&[0; 1 << 20])).await.is_ok() {}
    reset(socket);
    tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn two_hundred_at_once() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    echo(app);
    let clients: Vec<_> = (0..200)
        .map(|seed| {
            tokio::spawn(async move {
                let data = pattern(50_000 + seed * 1000, seed as u64);
                let mut socket = open(vip).await;
                let (mut reader, mut writer) = socket.split();
                let write = async {
                    writer.write_all(&data).await.unwrap();
                    writer.shutdown().await.unwrap();
                };
                let mut got = Vec::new();
                let (_, read) = tokio::join!(write, reader.read_to_end(&mut got));
                read.unwrap();
                assert!(got == data, "{seed}");
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn many_short_connections_byte_by_byte() {
    let world = World::plain().await;
    let (app, vip) = world.service();
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    serve(app, move |mut socket, _| {
        let count = count.clone();
        async move {
            let mut got = [0; 100];
            socket.read_exact(&mut got).await.unwrap();
            for byte in got {
                socket.write_all(&[byte]).await.unwrap();
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    for round in 0..50_u8 {
        let mut socket = open(vip).await;
        socket.set_nodelay(true).unwrap();
        for byte in 0..100_u8 {
            socket.write_all(&[byte ^ round]).await.unwrap();
        }
        let want: Vec<u8> = (0..100).map(|b| b ^ round).collect();
        assert_eq!(end(&mut socket).await, End::Fin(want));
    }
    assert_eq!(served.load(Ordering::Relaxed), 50);
}
