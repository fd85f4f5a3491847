//! Peers and applications that hold on to what they can.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::app::open;
use crate::peers::{connect, dial};
use crate::world::World;

/// An application that floods, never reads or echoes, as the first byte says.
fn moody(app: std::net::TcpListener) {
    crate::app::serve(app, |mut socket, _| async move {
        let mut mood = [0];
        socket.read_exact(&mut mood).await.unwrap();
        socket.write_all(&mood).await.unwrap();
        match mood[0] {
            b'f' => while socket.write_all(&[7; 65_536]).await.is_ok() {},
            b'n' => std::future::pending().await,
            _ => {
                let (mut reader, mut writer) = socket.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            }
        }
    });
}

async fn in_mood(vip: std::net::SocketAddr, mood: u8) -> TcpStream {
    let mut socket = open(vip).await;
    socket.write_all(&[mood]).await.unwrap();
    socket.read_exact(&mut [0]).await.unwrap();
    socket
}

/// Writes until nothing moves any more.
async fn fill(socket: &mut TcpStream) {
    let chunk = [3; 65_536];
    while tokio::time::timeout(Duration::from_millis(400), socket.write_all(&chunk)).await.is_ok() {}
}

#[tokio::test]
async fn slow_readers_do_not_starve_the_others_of_their_tunnel() {
    for mood in [b'f', b'n'] {
        let world = World::plain().await;
        let (app, vip) = world.service();
        moody(app);
        // All of them share the first tunnel: none has moved anything yet.
        let mut quick = in_mood(vip, b'e').await;
        let mut slow = Vec::new();
        for _ in 0..12 {
            slow.push(in_mood(vip, mood).await);
        }
        if mood == b'n' {
            futures_all(slow.iter_mut().map(fill)).await;
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        let mut answer = vec![0; 100_000];
        let exchange = async {
            let (mut reader, mut writer) = quick.split();
            let data = vec![1; 100_000];
            let (write, read) = tokio::join!(writer.write_all(&data), reader.read_exact(&mut answer));
            write.unwrap();
            read.unwrap();
        };
        let done = tokio::time::timeout(Duration::from_secs(3), exchange).await;
        assert!(done.is_ok(), "starved by streams of mood {}", char::from(mood));
    }
}

async fn futures_all<'a, F: Future<Output = ()> + 'a>(all: impl Iterator<Item = F>) {
    let mut all: Vec<_> = all.map(|f| Some(Box::pin(f))).collect();
    std::future::poll_fn(|cx| {
        for one in &mut all {
            if one.as_mut().is_some_and(|f| f.as_mut().poll(cx).is_ready()) {
                *one = None;
            }
        }
        match all.iter().all(Option::is_none) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
}

/// The peer's limit of open streams must also limit what we do for streams that it has given up.
#[tokio::test]
async fn a_stream_that_was_given_up_is_not_connected_further() {
    let world = World::plain().await;
    // An application whose queue is full: connecting takes all the time there is.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((world.server, 0).into()).unwrap();
    let app = socket.listen(1).unwrap();
    let addr = app.local_addr().unwrap();
    let _full = [open(addr).await, open(addr).await];
    let mut requests = dial(&world).await.ready().await.unwrap();
    let (answer, mut send) = requests.send_request(connect(&addr.to_string()), false).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    send.send_reset(Reason::CANCEL);
    drop(answer);
    let line = world.b.line(&["Failed Inbound", "the stream failed"]);
    assert!(tokio::time::timeout(Duration::from_millis(600), line).await.is_ok(), "it goes on connecting");
}

/// Istio's node proxy takes a tunnel that just ends for a clean end of its streams.
#[tokio::test]
async fn a_pod_that_leaves_says_so_on_each_stream() {
    let world = World::plain().await;
    let (app, _) = world.service();
    let authority = app.local_addr().unwrap().to_string();
    crate::app::echo(app);
    let mut requests = dial(&world).await.ready().await.unwrap();
    let (answer, mut send) = requests.send_request(connect(&authority), false).unwrap();
    send.send_data(Bytes::from_static(b"x"), false).unwrap();
    let mut body = answer.await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "x");
    world.b.pod.abort();
    let error = body.data().await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR), "{error}");
}

/// Small frames for a stream that waits, between large ones for a stream that does not: each small one would
/// keep a large read buffer.
#[tokio::test]
#[ignore = "measures the memory of the whole process: run it alone"]
async fn small_frames_that_wait_keep_no_large_buffers() {
    let world = World::plain().await;
    let (app, _) = world.service();
    let authority = app.local_addr().unwrap().to_string();
    crate::app::serve(app, |mut socket, _| async move {
        let mut mood = [0];
        socket.read_exact(&mut mood).await.unwrap();
        if mood[0] == b'n' {
            return std::future::pending().await;
        }
        let mut sink = vec![0; 1 << 20];
        while socket.read(&mut sink).await.is_ok_and(|n| n > 0) {}
    });
    let mut requests = dial(&world).await.ready().await.unwrap();
    let (answer, mut waits) = requests.send_request(connect(&authority), false).unwrap();
    waits.send_data(Bytes::from_static(b"n"), false).unwrap();
    let _one = answer.await.unwrap();
    let mut requests = requests.ready().await.unwrap();
    let (answer, mut flows) = requests.send_request(connect(&authority), false).unwrap();
    let _two = answer.await.unwrap();
    // Fills the sockets on the way to the application that does not read; a quarter of a megabyte of window is
    // left.
    loop {
        waits.reserve_capacity(300 << 10);
        tokio::time::sleep(Duration::from_millis(20)).await;
        if waits.capacity() < 300 << 10 {
            break;
        }
        waits.send_data(Bytes::from(vec![0; 64 << 10]), false).unwrap();
    }
    let before = rss();
    for _ in 0..800 {
        put(&mut waits, 256).await;
        put(&mut flows, 200 << 10).await;
    }
    println!("RSS {before} MiB before, {} MiB after 800 small frames", rss());
    assert!(rss() < before + 64);
}

async fn put(stream: &mut h2::SendStream<Bytes>, mut len: usize) {
    while len > 0 {
        stream.reserve_capacity(len);
        let wait = std::future::poll_fn(|cx| stream.poll_capacity(cx));
        let Ok(got) = tokio::time::timeout(Duration::from_millis(300), wait).await else { return };
        let n = got.unwrap().unwrap().min(len);
        stream.send_data(Bytes::from(vec![0; n]), false).unwrap();
        len -= n;
    }
}

fn rss() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}
