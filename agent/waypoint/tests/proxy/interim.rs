//! Interim responses (1xx): they come to the client before the response, in order, and never in the middle of another.

use rstest::rstest;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use weir_proto::l7::UpstreamProtocol;

use crate::world::{World, raw_server, read_all, read_until, run};

const HINT: &str = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\nconnection: x\r\n\r\n";
const SEEN: &str = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";
const END: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine";

/// A world whose server answers each request with `words`.
async fn world(words: String) -> World {
    let world = World::plain();
    let server = raw_server(move |mut stream: TcpStream| {
        let words = words.clone();
        async move {
            for _ in 0..5 {
                read_until(&mut stream, "\r\n\r\n").await;
                stream.write_all(words.as_bytes()).await.unwrap();
            }
        }
    });
    world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp1, &[server.await]);
    world
}

#[rstest]
#[case::one(HINT.to_owned(), 1)]
#[case::several(HINT.repeat(3), 3)]
#[case::processing("HTTP/1.1 102 Processing\r\n\r\n".to_owned() + HINT, 1)]
#[case::own_continue("HTTP/1.1 100 Continue\r\n\r\n".to_owned() + HINT, 1)]
fn before_the_response(#[case] words: String, #[case] hints: usize) {
    run(async {
        let world = world(words.clone() + END).await;
        let mut client = world.connect().await;
        // Several in a row by the same connections.
        for _ in 0..3 {
            client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let text = read_until(&mut client, "mine").await;
            let (before, response) = text.rsplit_once("HTTP/1.1 200 OK\r\n").unwrap();
            assert_eq!(before.matches(SEEN).count(), hints, "{text}");
            assert_eq!(before.contains("102 Processing"), words.contains("102"), "{text}");
            assert!(!before.contains(" 100 ") && response.ends_with("mine"), "{text}");
        }
    });
}

/// The hint comes while the response is awaited, not with it.
#[test]
fn at_once() {
    run(async {
        let world = World::plain();
        let (go, wait) = tokio::sync::watch::channel(false);
        let server = raw_server(move |mut stream: TcpStream| {
            let mut wait = wait.clone();
            async move {
                read_until(&mut stream, "\r\n\r\n").await;
                stream.write_all(HINT.as_bytes()).await.unwrap();
                wait.wait_for(|go| *go).await.unwrap();
                stream.write_all(END.as_bytes()).await.unwrap();
            }
        });
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp1, &[server.await]);
        let mut client = world.connect().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert_eq!(read_until(&mut client, "\r\n\r\n").await, SEEN);
        go.send_replace(true);
        assert!(read_until(&mut client, "mine").await.starts_with("HTTP/1.1 200 OK\r\n"));
    });
}

/// Pipelined requests: each hint stands before its own response.
#[test]
fn between_the_responses_of_a_pipeline() {
    run(async {
        let world = world(HINT.to_owned() + END).await;
        let mut client = world.connect().await;
        client.write_all("GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(3).as_bytes()).await.unwrap();
        for _ in 0..3 {
            let text = read_until(&mut client, "mine").await;
            assert!(
                text.starts_with(SEEN) && text[SEEN.len()..].starts_with("HTTP/1.1 200 OK\r\n"),
                "{text}"
            );
        }
    });
}

/// A client of HTTP/1.0 does not know them, and HTTP/2's are not to be sent.
#[test]
fn not_to_http_1_0() {
    run(async {
        let world = world(HINT.to_owned() + END).await;
        let text = world.raw("GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
        assert!(text.starts_with("HTTP/1.0 200 OK\r\n") && text.ends_with("mine"), "{text}");
    });
}

#[test]
fn not_to_http2() {
    run(async {
        let world = world(HINT.to_owned() + END).await;
        let request = http::Request::get("http://a/").body(crate::world::nothing()).unwrap();
        let response = world.http2().await.send_request(request).await.unwrap();
        assert_eq!(crate::world::body_of(response).await, "mine");
    });
}

/// A backend that says nothing else costs a bounded amount of memory, and its client hears of the failure.
#[test]
fn hints_without_end() {
    run(async {
        let world = World::plain();
        let server = raw_server(|mut stream: TcpStream| async move {
            read_until(&mut stream, "\r\n\r\n").await;
            for _ in 0..20_000 {
                stream.write_all(HINT.as_bytes()).await.unwrap();
            }
        });
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp1, &[server.await]);
        let mut client = world.connect().await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let text = read_all(&mut client).await;
        let (before, last) = text.rsplit_once("HTTP/1.1 503 ").unwrap();
        assert_eq!(before.replace(SEEN, ""), "", "whole hints and nothing else");
        assert!(last.contains("connection termination"), "{last}");
    });
}
