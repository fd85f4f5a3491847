//! What a backend answers wrongly is told to the one client that asked, and nobody who asks after it gets any of it.

use std::cell::Cell;
use std::rc::Rc;

use rstest::rstest;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use weir_proto::l7::{Protocol, UpstreamProtocol};

use crate::world::{Setting, World, frontend, raw_server, read_all, read_until, run};

/// A world whose server answers the first connection with `first` and whatever else it is asked there with poison; later
/// connections get proper answers.
async fn world(first: &'static str) -> World {
    let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
    let connections = Rc::new(Cell::new(0));
    let server = raw_server(move |mut stream: TcpStream| {
        let number = connections.replace(connections.get() + 1);
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            let answer =
                if number == 0 { first } else { "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nclean" };
            stream.write_all(answer.as_bytes()).await.unwrap();
            if number == 0 && !first.ends_with("<end>") {
                let asked = read_all(&mut stream).await;
                if asked.starts_with("GET") {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison").await;
                }
            }
        }
    });
    world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp1, &[server.await]);
    world
}

#[rstest]
// Bytes behind the end, which look like the answer to the next request.
#[case::behind_a_length(
    "GET",
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    "200"
)]
#[case::behind_chunks(
    "GET",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    "200"
)]
#[case::behind_head(
    "HEAD",
    "HTTP/1.1 200 OK\r\ncontent-length: 48\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    "200"
)]
#[case::behind_no_content(
    "GET",
    "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    "204"
)]
#[case::behind_no_content_with_length(
    "GET",
    "HTTP/1.1 204 No Content\r\ncontent-length: 48\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    "204"
)]
#[case::behind_not_modified(
    "GET",
    "HTTP/1.1 304 Not Modified\r\ncontent-length: 48\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    "304"
)]
// Two lengths, or none that can be read.
#[case::both(
    "GET",
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "502"
)]
#[case::both_turned(
    "GET",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "502"
)]
#[case::two_lengths("GET", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 4\r\n\r\nokok", "502")]
#[case::list_of_lengths("GET", "HTTP/1.1 200 OK\r\ncontent-length: 2, 4\r\n\r\nokok", "502")]
#[case::signed("GET", "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok", "502")]
#[case::no_number("GET", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nok", "502")]
#[case::too_large("GET", "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\nok", "502")]
#[case::unknown_encoding(
    "GET",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "502"
)]
#[case::encoding_without_chunks("GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nok", "502")]
// No HTTP.
#[case::other_protocol("GET", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "502")]
#[case::space_before_colon("GET", "HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok", "502")]
#[case::folded("GET", "HTTP/1.1 200 OK\r\nx: y\r\n z\r\ncontent-length: 2\r\n\r\nok", "502")]
#[case::bare_cr("GET", "HTTP/1.1 200 OK\r\nx: y\rz: w\r\ncontent-length: 2\r\n\r\nok", "502")]
#[case::nul("GET", "HTTP/1.1 200 OK\r\nx: y\0z\r\ncontent-length: 2\r\n\r\nok", "502")]
#[case::status("GET", "HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\nok", "502")]
#[case::unasked_upgrade(
    "GET",
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "502"
)]
// The body is none: what the client has of it by then is not taken for whole.
#[case::bad_chunk("GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nx\r\n", "reset")]
#[case::chunk_overflow(
    "GET",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nok",
    "reset"
)]
fn nobody_else_hears_it(#[case] method: &str, #[case] first: &'static str, #[case] status: &str) {
    run(async {
        let world = world(first).await;
        let mut client = world.connect().await;
        let ask = |method: &str, close: &str| format!("{method} / HTTP/1.1\r\nhost: a\r\n{close}\r\n");
        client.write_all(ask(method, "").as_bytes()).await.unwrap();
        let head = match status {
            "reset" => read_all(&mut client).await,
            _ => read_until(&mut client, "\r\n\r\n").await,
        };
        if status == "reset" {
            assert!(head.ends_with("<reset>"), "{head}");
        } else {
            assert_eq!(head.split(' ').nth(1), Some(status), "{head}");
        }
        // At once, by the same worker, whose pool has one connection at most.
        let text = world.raw(ask("GET", "connection: close\r\n")).await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nclean"), "{text}");
        drop(client);
        let lines = world.logged(1).await;
        assert!(status != "502" || lines[0].contains(" 502 UPE "), "{lines:?}");
    });
}

/// A backend that is asked to answer HEAD, or says that there is no content, has its length told and nothing awaited.
#[rstest]
#[case::head("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", Some("5"))]
#[case::head_of_chunks("HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", None)]
#[case::not_modified("GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", Some("5"))]
#[case::no_content("GET", "HTTP/1.1 204 No Content\r\n\r\n", None)]
#[case::reset_content("GET", "HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n", Some("0"))]
fn answers_without_bodies(
    #[case] method: &'static str,
    #[case] answer: &'static str,
    #[case] length: Option<&str>,
    #[values(false, true)] http2: bool,
) {
    run(async {
        let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
        let server = raw_server(move |mut stream: TcpStream| async move {
            while read_until(&mut stream, "\r\n\r\n").await.starts_with(method) {
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp1, &[server.await]);
        let mut http1 = world.http1().await;
        let mut http2_client = world.http2().await;
        // Twice: the connection to the server is used again.
        for _ in 0..2 {
            let request = http::Request::builder().method(method).header("host", "a");
            let response = if http2 {
                let request = http::Request::builder().method(method).uri("http://a/");
                http2_client.send_request(request.body(crate::world::nothing()).unwrap()).await
            } else {
                http1.ready().await.unwrap();
                http1.send_request(request.body(crate::world::nothing()).unwrap()).await
            };
            let response = response.unwrap();
            let told = response.headers().get("content-length").map(|v| v.to_str().unwrap().to_owned());
            // hyper says none to a client of HTTP/1, which RFC 9110 8.6 allows.
            let length = length.filter(|_| http2 || response.status() != 304);
            assert_eq!(told.as_deref(), length);
            assert_eq!(crate::world::body_of(response).await, "");
        }
        assert_eq!(world.worker.connected(), 1);
    });
}
