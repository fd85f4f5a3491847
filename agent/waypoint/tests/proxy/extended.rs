//! WebSocket over HTTP/2 (RFC 8441), from clients, to backends, and between the versions.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::ext::Protocol;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use weir_proto::l7::{self, UpstreamProtocol};

use crate::world::{
    AnyBody, Local, Setting, World, frontend, http2_server, nothing, raw_server, read_until, rule, run, text,
};

fn world() -> World {
    World::new(Setting { form: frontend(l7::Protocol::Http, Vec::new()), ..Setting::default() })
}

/// A server of HTTP/1 that agrees and repeats all bytes; it says what it heard of the head.
async fn http1_backend(world: &World, protocol: UpstreamProtocol) {
    let server = raw_server(|mut stream: TcpStream| async move {
        let head = read_until(&mut stream, "\r\n\r\n").await.replace("\r\n", "|");
        let answer = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: x\r\n";
        stream.write_all(format!("{answer}x-heard: {head}\r\n\r\n").as_bytes()).await.unwrap();
        let (mut from, mut to) = stream.split();
        let _ = tokio::io::copy(&mut from, &mut to).await;
        let _ = to.shutdown().await;
    });
    world.servers.cluster("shop/reviews", protocol, &[server.await]);
}

/// The same of HTTP/2; `status` is its answer.
fn http2_backend(world: &World, status: u16) {
    let serve = move |stream: DuplexStream| {
        let service = service_fn(move |mut request: Request<Incoming>| async move {
            let protocol = request.extensions().get::<Protocol>().map(|p| p.as_str().to_owned());
            let heard =
                format!("{} {} {protocol:?} {:?}", request.method(), request.uri(), request.headers());
            let upgraded = hyper::upgrade::on(&mut request);
            spawn_local(async move {
                let Ok(upgraded) = upgraded.await else { return };
                let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            });
            let answer = Response::builder().status(status).header("x-heard", heard).body(nothing());
            Ok::<_, std::convert::Infallible>(answer.unwrap())
        });
        let mut builder = hyper::server::conn::http2::Builder::new(Local);
        spawn_local(builder.enable_connect_protocol().serve_connection(TokioIo::new(stream), service));
    };
    let address = world.servers.here("10.2.0.1:80", serve);
    world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp2, &[address]);
}

/// A client of HTTP/2 that knows what the waypoint offers.
async fn client(world: &World) -> SendRequest<AnyBody> {
    let stream = TokioIo::new(world.connect_here());
    let handshake = hyper::client::conn::http2::handshake(Local, stream).await;
    let (sender, mut connection) = handshake.unwrap();
    // hyper wakes nobody when settings come.
    while !connection.is_extended_connect_protocol_enabled() {
        std::future::poll_fn(|cx| {
            let _ = std::pin::Pin::new(&mut connection).poll(cx);
            std::task::Poll::Ready(())
        })
        .await;
        tokio::task::yield_now().await;
    }
    spawn_local(connection);
    sender
}

fn ask() -> Request<AnyBody> {
    let request = Request::builder().method(Method::CONNECT).uri("http://reviews/chat?room=1");
    let request = request.header("sec-websocket-version", "13").extension(Protocol::from_static("websocket"));
    request.body(nothing()).unwrap()
}

async fn both_ways(mut response: Response<Incoming>) {
    let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
    let mut stream = TokioIo::new(upgraded);
    for word in ["one", "two"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        let mut heard = [0; 3];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, word.as_bytes());
    }
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}

/// HTTP/1 wants a key, which HTTP/2 does not have, and a GET. If the client's version is tried first, the backend that
/// does not speak it is not known to be one: so it is told to speak HTTP/1.
#[test]
fn from_http2_to_http1() {
    run(async {
        let world = world();
        http1_backend(&world, UpstreamProtocol::UpstreamHttp1).await;
        let response = client(&world).await.send_request(ask()).await.unwrap();
        assert_eq!(response.status(), 200);
        for name in ["upgrade", "connection", "sec-websocket-accept"] {
            assert!(!response.headers().contains_key(name), "{response:?}");
        }
        let heard = response.headers()["x-heard"].to_str().unwrap().to_owned();
        assert!(heard.starts_with("GET /chat?room=1 HTTP/1.1|"), "{heard}");
        for part in ["|upgrade: websocket|", "|connection: upgrade|", "|sec-websocket-version: 13|", "==|"] {
            assert!(heard.contains(part), "{part}: {heard}");
        }
        assert!(heard.contains("|sec-websocket-key: "), "{heard}");
        both_ways(response).await;
        let line = world.logged(1).await.remove(0);
        assert!(line.contains("\"GET /chat?room=1 HTTP/2.0\" 200 - via_upstream "), "{line}");
    });
}

#[test]
fn from_http2_to_http2() {
    run(async {
        let world = world();
        http2_backend(&world, 200);
        let response = client(&world).await.send_request(ask()).await.unwrap();
        assert_eq!(response.status(), 200);
        let heard = response.headers()["x-heard"].to_str().unwrap().to_owned();
        assert!(heard.starts_with("CONNECT http://reviews/chat?room=1 Some(\"websocket\") "), "{heard}");
        assert!(!heard.contains("sec-websocket-key"), "{heard}");
        both_ways(response).await;
    });
}

#[test]
fn from_http1_to_http2() {
    run(async {
        let world = world();
        http2_backend(&world, 200);
        let mut client = world.connect().await;
        let ask = "GET /chat HTTP/1.1\r\nhost: reviews\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        client.write_all(ask.as_bytes()).await.unwrap();
        let head = read_until(&mut client, "\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
        for part in [
            "\r\nupgrade: websocket\r\n",
            "\r\nconnection: upgrade\r\n",
            "\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
            "x-heard: CONNECT http://reviews/chat Some(\"websocket\") ",
        ] {
            assert!(head.contains(part), "{part}: {head}");
        }
        client.write_all(b"word\n").await.unwrap();
        assert_eq!(read_until(&mut client, "\n").await, "word\n");
    });
}

/// What the backend says instead is the client's to hear; a success without consent must not look like one.
#[rstest]
#[case::refused(403, 403)]
#[case::another_success(204, 502)]
fn a_server_that_does_not_agree(#[case] status: u16, #[case] expected: u16) {
    run(async {
        let world = world();
        http2_backend(&world, status);
        let response = client(&world).await.send_request(ask()).await.unwrap();
        assert_eq!(response.status().as_u16(), expected);
    });
}

#[test]
fn a_server_of_http1_that_answers_as_if_nothing_was_asked() {
    run(async {
        let world = world();
        let server = raw_server(|mut stream: TcpStream| async move {
            read_until(&mut stream, "\r\n\r\n").await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
        });
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp1, &[server.await]);
        let response = client(&world).await.send_request(ask()).await.unwrap();
        assert_eq!(response.status(), 502);
    });
}

/// An answer of a rule is no consent either.
#[test]
fn an_answer_of_our_own() {
    run(async {
        let direct =
            l7::rule::Action::DirectResponse(l7::DirectResponse { status: 200, ..Default::default() });
        let world = World::new(Setting::rule(rule(direct)));
        let response = client(&world).await.send_request(ask()).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    });
}

/// A backend whose settings do not offer it is not asked: one that must be spoken to by HTTP/2 cannot be reached so, and one
/// that speaks what the client does is asked by HTTP/1.
#[rstest]
#[case::http2_alone(UpstreamProtocol::UpstreamHttp2, 501)]
#[case::either(UpstreamProtocol::Same, 200)]
fn a_server_that_does_not_offer_it(#[case] protocol: UpstreamProtocol, #[case] expected: u16) {
    run(async {
        let world = world();
        // By its first byte it knows what is spoken.
        let server = raw_server(|mut stream: TcpStream| async move {
            let line = read_until(&mut stream, "\r\n").await;
            if line.starts_with("PRI ") {
                read_until(&mut stream, "SM\r\n\r\n").await;
                // Settings, and nothing in them.
                stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                return;
            }
            read_until(&mut stream, "\r\n\r\n").await;
            let answer =
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        });
        world.servers.cluster("shop/reviews", protocol, &[server.await]);
        let response = client(&world).await.send_request(ask()).await.unwrap();
        assert_eq!(response.status().as_u16(), expected);
    });
}

/// Beside it, the connection serves other requests.
#[test]
fn other_requests_go_on() {
    run(async {
        let world = world();
        let address =
            world.servers.here("10.2.0.1:80", http2_server(|_| async { Response::new(text("ok")) }));
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp2, &[address]);
        let mut client = client(&world).await;
        let refused = client.send_request(ask()).await.unwrap();
        assert_eq!(refused.status(), 501);
        let request = Request::get("http://reviews/").body(nothing()).unwrap();
        let response = client.send_request(request).await.unwrap();
        assert_eq!(crate::world::body_of(response).await, Bytes::from("ok"));
    });
}
