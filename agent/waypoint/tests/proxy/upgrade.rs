//! Changes of protocol: WebSocket and others, CONNECT, and what is refused.

use rstest::rstest;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use weir_proto::l7::{Protocol, UpstreamProtocol};

use crate::world::{Setting, World, echo, frontend, http2_server, raw_server, read_all, read_until, run};

/// A world whose server says back what it heard of the head, agrees or not, and then repeats all bytes.
async fn world(answer: &'static str) -> World {
    let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
    let server = raw_server(move |mut stream: TcpStream| async move {
        let head = read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(answer.replace("HEAD", &head.replace("\r\n", "|")).as_bytes()).await.unwrap();
        let (mut from, mut to) = stream.split();
        let _ = tokio::io::copy(&mut from, &mut to).await;
        let _ = to.shutdown().await;
    });
    world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp1, &[server.await]);
    world
}

const ASK: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const AGREED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nx-heard: HEAD\r\n\r\n";

#[test]
fn websocket() {
    run(async {
        let world = world(AGREED).await;
        let mut client = world.connect().await;
        client.write_all(ASK.as_bytes()).await.unwrap();
        let head = read_until(&mut client, "\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(
            head.contains("\r\nupgrade: websocket\r\n") && head.contains("\r\nconnection: upgrade\r\n"),
            "{head}"
        );
        assert!(head.contains("upgrade: websocket|") && head.contains("connection: upgrade|"), "{head}");
        assert!(head.contains("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==|"), "{head}");
        // No HTTP from here on: what would be refused before passes.
        client.write_all(b"GET / HTTP/1.1\nfoo\n\n\0").await.unwrap();
        assert_eq!(read_until(&mut client, "\0").await, "GET / HTTP/1.1\nfoo\n\n\0");
        client.shutdown().await.unwrap();
        assert_eq!(read_all(&mut client).await, "");
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(" 101 - via_upstream "), "{line}");
        assert_eq!(world.worker.open(), 0);
    });
}

#[test]
fn a_server_that_does_not_agree() {
    run(async {
        let world = world("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
        let mut client = world.connect().await;
        client.write_all(ASK.as_bytes()).await.unwrap();
        let text = read_until(&mut client, "no").await;
        assert!(text.starts_with("HTTP/1.1 403 "), "{text}");
        // It is HTTP as before.
        client.write_all(b"GET / HTTP/1.1\nhost: a\n\n").await.unwrap();
        let text = read_all(&mut client).await;
        assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    });
}

/// Who did not ask is not upgraded, and neither is who asks for what must not be.
#[rstest]
#[case::no_token("GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n", "502")]
#[case::http2(
    "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    "502"
)]
#[case::old("GET / HTTP/1.0\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", "502")]
fn not_asked(#[case] request: &str, #[case] status: &str) {
    run(async {
        let world = world(AGREED).await;
        let mut client = world.connect().await;
        client.write_all(request.as_bytes()).await.unwrap();
        let head = read_until(&mut client, "\r\n\r\n").await;
        assert!(head.split(' ').nth(1) == Some(status), "{head}");
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(" 502 UPE "), "{line}");
    });
}

#[test]
fn connect() {
    run(async {
        let world = world("HTTP/1.1 200 OK\r\nx-heard: HEAD\r\n\r\n").await;
        let mut client = world.connect().await;
        client.write_all(b"CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n").await.unwrap();
        let head = read_until(&mut client, "\r\n\r\n").await;
        assert!(
            head.starts_with("HTTP/1.1 200 ") && head.contains("x-heard: CONNECT a:443 HTTP/1.1|"),
            "{head}"
        );
        client.write_all(b"anything\n").await.unwrap();
        assert_eq!(read_until(&mut client, "\n").await, "anything\n");
    });
}

/// What follows a CONNECT that is refused is for nobody.
#[test]
fn connect_is_refused() {
    run(async {
        let world = world("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
        let ask = "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\nGET /next HTTP/1.1\r\nhost: a\r\n\r\n";
        let text = world.raw(ask).await;
        assert!(text.starts_with("HTTP/1.1 403 ") && text.ends_with("no"), "{text} {:?}", world.lines());
        assert!(text.contains("connection: close\r\n"), "{text}");
    });
}

/// The same if the answer is ours.
#[test]
fn connect_to_nobody() {
    run(async {
        let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
        let ask = "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\nGET /next HTTP/1.1\r\nhost: a\r\n\r\n";
        let text = world.raw(ask).await;
        assert!(text.starts_with("HTTP/1.1 503 ") && text.ends_with("\r\n\r\n"), "{text}");
    });
}

/// A backend that is forced to HTTP/2 cannot carry it, and the client hears so.
#[test]
fn to_http2() {
    run(async {
        let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
        let address = world.servers.here("10.2.0.1:80", http2_server(echo));
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp2, &[address]);
        let mut client = world.connect().await;
        client.write_all(ASK.as_bytes()).await.unwrap();
        let head = read_until(&mut client, "\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 501 "), "{head}");
    });
}

/// 100 Continue comes when there is somebody to send the body to, and HEAD has no body.
#[test]
fn continue_and_head() {
    run(async {
        let world = World::plain();
        let server = raw_server(|mut stream: TcpStream| async move {
            let head = read_until(&mut stream, "\r\n\r\n").await;
            assert!(head.starts_with("POST") && !head.contains("expect"), "{head}");
            read_until(&mut stream, "body").await;
            stream.write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n").await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nthank").await.unwrap();
            let head = read_until(&mut stream, "\r\n\r\n").await;
            assert!(head.starts_with("HEAD"), "{head}");
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n").await.unwrap();
            read_all(&mut stream).await;
        });
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[server.await]);
        let mut client = world.connect().await;
        let ask = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n";
        client.write_all(ask).await.unwrap();
        assert_eq!(read_until(&mut client, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.write_all(b"body").await.unwrap();
        let text = read_until(&mut client, "thank").await;
        let hint = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
        assert!(text.starts_with(&format!("{hint}HTTP/1.1 200 OK\r\n")), "{text}");
        let text = world.raw("HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{text}");
    });
}
