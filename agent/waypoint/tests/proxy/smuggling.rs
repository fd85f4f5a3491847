//! Shapes of requests that two programs read in two ways, as raw bytes over loopback.
//!
//! `Hyper` refuses some by itself; what the `Gate` before it and the check of `Heads` behind it must refuse was accepted
//! without them.

use rstest::rstest;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use weir_proto::l7::{Protocol, UpstreamProtocol};

use crate::world::{Setting, World, frontend, raw_server, read_all, read_until, run};

/// A world whose server must not be reached: it answers everything with 200.
async fn guarded() -> World {
    let form = frontend(Protocol::Http, Vec::new());
    let world = World::new(Setting { form, ..Setting::default() });
    let answer = |mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine").await.unwrap();
        read_all(&mut stream).await;
    };
    world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[raw_server(answer).await]);
    world
}

/// Who refuses.
#[derive(Debug, Clone, Copy, PartialEq)]
enum By {
    Hyper,
    Gate,
    Heads,
}
use By::{Gate, Heads, Hyper};

#[rstest]
// Two lengths.
#[case(
    Gate,
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
)]
#[case(
    Gate,
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n"
)]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 1\r\n\r\na")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\na")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\na")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1a\r\n\r\na")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551616\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551615\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ncontent_length: 1\r\n\r\n")]
// Another encoding, or one that is written so that somebody overlooks it.
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \"chunked\"\r\n\r\n0\r\n\r\n")]
#[case(
    Gate,
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n0\r\n\r\n"
)]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer_encoding: chunked\r\n\r\n0\r\n\r\n")]
#[case(Hyper, "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding\t: chunked\r\n\r\n0\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked;q=1\r\n\r\n0\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \u{a0}chunked\r\n\r\n0\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n\r\n0\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n")]
#[case(Gate, "POST / HTTP/1.1\r\nhost: a\r\nx: y\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")]
#[case(Hyper, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\r\n\r\n0\r\n\r\n")]
#[case(Hyper, "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \x0cchunked\r\n\r\n0\r\n\r\n")]
#[case(Hyper, "POST / HTTP/1.1\r\nhost: a\r\n\0transfer-encoding: chunked\r\n\r\n0\r\n\r\n")]
#[case(Hyper, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\r\n\r\nabcd")]
// A body where none may be, and an upgrade to what is none.
#[case(Heads, "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\ncontent-length: 4\r\n\r\nabcd")]
#[case(Heads, "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")]
// Lines.
#[case(Gate, "GET / HTTP/1.1\nhost: a\n\n")]
#[case(Gate, "GET / HTTP/1.1\r\nhost: a\nx: y\r\n\r\n")]
#[case(Gate, "GET / HTTP/1.1\r\nhost: a\r\n\n")]
#[case(Gate, "GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n")]
#[case(Gate, "GET / HTTP/1.1\r\n host: a\r\n\r\n")]
#[case(Hyper, "GET / HTTP/1.1\r\nhost: a\r\nx: y\rz: w\r\n\r\n")]
#[case(Hyper, "GET / HTTP/1.1\r\nhost: a\r\nx: y\0z\r\n\r\n")]
#[case(Hyper, "GET / HTTP/1.1\r\nhost: a\r\nx : y\r\n\r\n")]
#[case(Hyper, "GET / HTTP/1.1\r\nhost: a\r\nx(y): z\r\n\r\n")]
#[case(Hyper, "GET / HTTP/1.1\r\nhost: a\r\n: z\r\n\r\n")]
#[case(Hyper, "GET / HTTP/1.1\r\nhost: a\r\nxyz\r\n\r\n")]
#[case(Hyper, "GET  / HTTP/1.1\r\nhost: a\r\n\r\n")]
#[case(Hyper, "GET / HTTP/1.1 \r\nhost: a\r\n\r\n")]
#[case(Hyper, "GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n")]
#[case(Hyper, "GET / HTTP/1.2\r\nhost: a\r\n\r\n")]
#[case(Hyper, "GET / HTTP/3.0\r\nhost: a\r\n\r\n")]
#[case(Hyper, "GET /a b HTTP/1.1\r\nhost: a\r\n\r\n")]
#[case(Hyper, "GET\t/\tHTTP/1.1\r\nhost: a\r\n\r\n")]
#[case(Hyper, "GET /\r\nhost: a\r\n\r\n")]
#[case(Hyper, "GET / HTTP/0.9\r\nhost: a\r\n\r\n")]
#[case(Hyper, "GET / http/1.1\r\nhost: a\r\n\r\n")]
#[case(Hyper, "GET / HTTP/1.1\rhost: a\r\n\r\n")]
#[case(Hyper, "GE(T / HTTP/1.1\r\nhost: a\r\n\r\n")]
// Whose request it is.
#[case(Heads, "GET / HTTP/1.1\r\n\r\n")]
#[case(Heads, "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n")]
#[case(Heads, "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n")]
#[case(Heads, "GET / HTTP/1.1\r\nhost: a b\r\n\r\n")]
#[case(Heads, "GET / HTTP/1.1\r\nhost: a@b\r\n\r\n")]
#[case(Heads, "GET / HTTP/1.1\r\nhost: a, b\r\n\r\n")]
#[case(Heads, "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n")]
#[case(Heads, "GET / HTTP/1.1\r\nhost: a:80:80\r\n\r\n")]
#[case(Heads, "GET http://a/ HTTP/1.1\r\nhost: b\r\n\r\n")]
#[case(Heads, "GET http://c@a/ HTTP/1.1\r\nhost: a\r\n\r\n")]
#[case(Heads, "GET ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n")]
#[case(Heads, "GET a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n")]
#[case(Heads, "GET * HTTP/1.1\r\nhost: a\r\n\r\n")]
fn refused(#[case] by: By, #[case] request: &str) {
    run(async {
        let world = guarded().await;
        // What follows must not be answered: nobody knows where it begins.
        let answer = world.raw(request.to_owned() + "GET /next HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{request:?}: {answer:?}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{request:?}: {answer:?}");
        assert!(!answer.contains("mine"), "{request:?} reached the server");
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(" 400 DPE "), "{line}");
        assert_eq!(by == Heads, !line.contains("http1.codec_error"), "{line}");
        // The gate says what was wrong.
        let silent = line.contains("http1.codec_error - \"-\"");
        assert_eq!(by == Hyper, silent && by != Heads, "{request:?}: {line}");
    });
}

/// The same in pieces of a few bytes each.
#[rstest]
#[case("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")]
#[case("GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n")]
#[case("GET / HTTP/1.1\r\nhost: a\nx: y\r\n\r\n")]
fn refused_in_pieces(#[case] request: &str, #[values(1, 2, 7)] size: usize) {
    run(async {
        let world = guarded().await;
        let mut client = world.connect().await;
        client.set_nodelay(true).unwrap();
        for piece in request.as_bytes().chunks(size) {
            if client.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let answer = read_all(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer:?}");
        assert!(!answer.contains("mine"), "{request:?} reached the server");
    });
}

/// Chunks that somebody could read in another way end the request on both sides: the server must not take what came
/// before for all of it.
#[rstest]
#[case("5\nhello\r\n0\r\n\r\n")]
#[case("5\r\nhello0\r\n\r\n")]
#[case("5\r\nhello\n0\r\n\r\n")]
#[case("0x5\r\nhello\r\n0\r\n\r\n")]
#[case("-5\r\nhello\r\n0\r\n\r\n")]
#[case("5;a\nb\r\nhello\r\n0\r\n\r\n")]
#[case("5;a\rb\r\nhello\r\n0\r\n\r\n")]
#[case("5;\0\r\nhello\r\n0\r\n\r\n")]
#[case("5 5\r\nhello\r\n0\r\n\r\n")]
#[case(" 5\r\nhello\r\n0\r\n\r\n")]
#[case("5_\r\nhello\r\n0\r\n\r\n")]
#[case("\r\nhello\r\n0\r\n\r\n")]
#[case("5\r\nhello\r\n\r\n0\r\n\r\n")]
#[case("10000000000000005\r\nhello\r\n0\r\n\r\n")]
#[case("ffffffffffffffff\r\nhello\r\n0\r\n\r\n")]
#[case("5\r\nhello\r\n0\r\nGET /x HTTP/1.1\r\n\r\n")]
#[case("ffffffffffffffffff\r\nhello\r\n0\r\n\r\n")]
#[case("5\r\nhello\r\n0\r\nx: y\n\r\n")]
#[case("5\r\nhello\r\n0\r\nx: y\r\n z\r\n\r\n")]
fn chunks(#[case] body: &str) {
    run(async {
        let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
        let (seen, heard) = tokio::sync::oneshot::channel();
        let seen = std::cell::RefCell::new(Some(seen));
        let server = raw_server(move |mut stream| {
            let seen = seen.borrow_mut().take();
            async move {
                let text = read_all(&mut stream).await;
                if let Some(seen) = seen {
                    let _ = seen.send(text);
                }
            }
        });
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[server.await]);
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        let answer = world.raw(format!("{head}{body}GET /next HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer:?}");
        // Nothing at all is fine too: the body was bad before there was a connection.
        if let Ok(Ok(text)) = tokio::time::timeout(std::time::Duration::from_millis(300), heard).await {
            assert!(!text.contains("/next"), "{text:?}");
            assert!(!text.ends_with("0\r\n\r\n"), "the server takes it for whole: {text:?}");
        }
    });
}

#[rstest]
#[case("GET / HTTP/1.1\r\nhost: a\r\nx: ", "a", "\r\n\r\n", 70_000, 431)]
#[case("GET /", "a", " HTTP/1.1\r\nhost: a\r\n\r\n", 40_000, 414)]
#[case("GET /", "a", " HTTP/1.1\r\nhost: a\r\n\r\n", 66_000, 431)]
#[case("GET / HTTP/1.1\r\nhost: a\r\n", "x: y\r\n", "\r\n", 200, 431)]
#[case("GET /", "a", " HTTP/1.1\r\nhost: a\r\n\r\n", 30_000, 200)]
#[case("GET / HTTP/1.1\r\nhost: a\r\nx: ", "a", "\r\n\r\n", 50_000, 200)]
fn limits(
    #[case] start: &str,
    #[case] part: &str,
    #[case] end: &str,
    #[case] count: usize,
    #[case] status: u16,
) {
    run(async {
        let world = guarded().await;
        let mut client = world.connect().await;
        client.write_all([start, &part.repeat(count), end].concat().as_bytes()).await.unwrap();
        let head = read_until(&mut client, "\r\n\r\n").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    });
}

/// What comes before what is refused is answered, in order.
#[test]
fn earlier_requests_are_answered() {
    run(async {
        let world = guarded().await;
        let answer =
            world.raw("GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\nx: y\r\n\r\n").await;
        let (first, second) = answer.split_once("mine").unwrap();
        assert!(first.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(second.starts_with("HTTP/1.1 400"), "{answer}");
    });
}

/// Shapes that a server could read as two requests where we read one: they are passed on in one reading, framed anew, and
/// what stands in the body stays there.
#[rstest]
#[case::a_request_as_body(
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 41\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n",
    "content-length: 41\n"
)]
#[case::of_get(
    "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 41\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n",
    "content-length: 41\n"
)]
#[case::in_chunks(
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n29\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n\r\n0\r\n\r\n",
    "transfer-encoding: chunked\n"
)]
#[case::extensions(
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n029 ;x=\"GET /\"\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n\r\n000;y\r\n\r\n",
    "transfer-encoding: chunked\n"
)]
#[case::tab_before_the_value(
    "POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding:\tCHUNKED\r\n\r\n29\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n\r\n0\r\n\r\n",
    "transfer-encoding: chunked\n"
)]
#[case::expectation(
    "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 41\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n",
    "content-length: 41\n"
)]
fn one_request(#[case] request: &str, #[case] framing: &str) {
    run(async {
        let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
        let address = world.servers.here("10.2.0.1:80", crate::world::http1_server(crate::world::echo));
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let next = "GET /next HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let answers = world.raw(format!("{request}{next}")).await;
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answers}");
        assert!(answers.contains(framing) && !answers.contains("expect:"), "{answers}");
        let body = "\n\nGET /smuggled HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n";
        assert!(answers.contains(body) && answers.contains("GET /next HTTP/1.1\n"), "{answers}");
        let lines = world.logged(2).await;
        assert!(!lines.iter().any(|line| line.contains("smuggled")), "{lines:?}");
    });
}
