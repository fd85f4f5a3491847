//! HTTP/2 and gRPC from end to end, and raw frames for what no proper client sends.

use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use rstest::rstest;
use tokio::io::AsyncWriteExt as _;
use weir_proto::l7::{self, UpstreamProtocol};

use crate::world::{AnyBody, World, body_of, echo, get, http1_server, http2_server, read_all, run, text};

fn world(protocol: UpstreamProtocol) -> World {
    let world = World::plain();
    let address = match protocol {
        UpstreamProtocol::UpstreamHttp1 => world.servers.here("10.2.0.1:80", http1_server(echo)),
        UpstreamProtocol::Same | UpstreamProtocol::UpstreamHttp2 => {
            world.servers.here("10.2.0.1:80", http2_server(echo))
        }
    };
    world.servers.cluster("shop/reviews", protocol, &[address]);
    world
}

fn request(path: &str) -> Request<AnyBody> {
    let mut request = get(path);
    *request.uri_mut() = format!("http://reviews{path}").parse().unwrap();
    request.headers_mut().remove("host");
    request
}

#[rstest]
#[case(Version::HTTP_2, UpstreamProtocol::Same, "GET http://reviews/a?b HTTP/2.0\n")]
#[case(Version::HTTP_2, UpstreamProtocol::UpstreamHttp1, "GET /a?b HTTP/1.1\nhost: reviews\n")]
#[case(Version::HTTP_11, UpstreamProtocol::UpstreamHttp2, "GET http://reviews/a?b HTTP/2.0\n")]
#[case(Version::HTTP_11, UpstreamProtocol::UpstreamHttp1, "GET /a?b HTTP/1.1\nhost: reviews\n")]
fn versions(#[case] client: Version, #[case] server: UpstreamProtocol, #[case] said: &str) {
    run(async {
        let world = world(server);
        let response = match client {
            Version::HTTP_2 => world.http2().await.send_request(request("/a?b")).await,
            _ => world.http1().await.send_request(get("/a?b")).await,
        };
        let response = response.unwrap();
        assert_eq!(response.status(), 200);
        let body = body_of(response).await;
        assert!(body.starts_with(said), "{body}");
    });
}

#[test]
fn many_streams_share_a_connection() {
    run(async {
        let world = world(UpstreamProtocol::UpstreamHttp2);
        let client = world.http2().await;
        let asked = (0..150).map(|n| {
            let mut client = client.clone();
            async move { body_of(client.send_request(request(&format!("/{n}"))).await.unwrap()).await }
        });
        for (n, body) in futures_util::future::join_all(asked).await.into_iter().enumerate() {
            assert!(body.starts_with(&format!("GET http://reviews/{n} ")), "{body}");
        }
        assert!(world.worker.connected() <= 2, "{} connections", world.worker.connected());
    });
}

/// A call that answers each message at once, and says its result in the trailers.
async fn call(request: Request<Incoming>) -> Response<AnyBody> {
    let body = request.into_body();
    let messages = http_body_util::BodyStream::new(body);
    let end = futures_util::stream::once(async {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        Ok(Frame::trailers(trailers))
    });
    let answers = futures_util::StreamExt::map(messages, |frame| frame.map_err(std::io::Error::other));
    let body = StreamBody::new(futures_util::StreamExt::chain(answers, end));
    Response::builder().header("content-type", "application/grpc").body(AnyBody::new(body)).unwrap()
}

#[test]
fn a_call_in_both_directions() {
    run(async {
        let world = World::plain();
        let address = world.servers.here("10.2.0.1:80", http2_server(call));
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let (send, messages) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
        let messages = futures_util::stream::unfold(messages, |mut messages| async {
            let message = messages.recv().await?;
            Some((Ok::<_, std::io::Error>(Frame::data(message)), messages))
        });
        let request = Request::post("http://reviews/pkg.Service/Method")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(AnyBody::new(StreamBody::new(messages)))
            .unwrap();
        let mut response = world.http2().await.send_request(request).await.unwrap();
        for n in 0_u8..3 {
            let message = Bytes::from(vec![0, 0, 0, 0, 1, n]);
            send.send(message.clone()).unwrap();
            let frame = response.body_mut().frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), message);
        }
        drop(send);
        let end = response.body_mut().collect().await.unwrap();
        assert_eq!(end.trailers().unwrap()["grpc-status"], "0");
        world.logged(1).await;
        let metrics = world.metrics();
        let line = |name: &str| metrics.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        let requests = line("istio_requests_total{");
        assert!(
            requests.contains("request_protocol=\"grpc\"") && requests.contains("grpc_response_status=\"0\""),
            "{requests}"
        );
        assert!(line("istio_request_messages_total{").ends_with(" 3"), "{metrics}");
        assert!(line("istio_response_messages_total{").ends_with(" 3"), "{metrics}");
    });
}

/// Trailers of HTTP/1, for a client that says that it takes them.
#[test]
fn trailers_of_http1() {
    run(async {
        let world = world(UpstreamProtocol::UpstreamHttp1);
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
        let answer = world.raw(format!("{head}3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n")).await;
        assert!(answer.contains("\n\nabc\ntrailer x-sum: 6"), "{answer}");
    });
}

/// A stream that the server ends is ended with the same word.
#[test]
fn a_response_that_is_reset() {
    run(async {
        let world = World::plain();
        let (go, wait) = tokio::sync::watch::channel(false);
        let broken = http2_server(move |_| {
            let mut wait = wait.clone();
            let first = futures_util::stream::iter([Ok(Frame::data(Bytes::from_static(b"first")))]);
            let end = futures_util::stream::once(async move {
                wait.wait_for(|go| *go).await.unwrap();
                Err(std::io::Error::other("no more"))
            });
            let body = StreamBody::new(futures_util::StreamExt::chain(first, end));
            async { Response::new(AnyBody::new(body)) }
        });
        let address = world.servers.here("10.2.0.1:80", broken);
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let response = world.http2().await.send_request(request("/")).await.unwrap();
        go.send_replace(true);
        let error = response.into_body().collect().await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        let h2 = source.downcast_ref::<h2::Error>().unwrap();
        assert_eq!(h2.reason(), Some(h2::Reason::INTERNAL_ERROR));
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(" 200 UR "), "{line}");
    });
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A frame of HTTP/2 on stream 1.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

/// Fields as HPACK literals without compression.
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

const HEAD: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "reviews")];

/// h2 refuses most by itself, with a reset of the stream (PROTOCOL_ERROR); the check of heads the rest, with 400.
#[rstest]
#[case::connection(&[("connection", "close")], b"", false)]
#[case::transfer_encoding(&[("transfer-encoding", "chunked")], b"", false)]
#[case::upgrade(&[("upgrade", "h2c")], b"", false)]
#[case::keep_alive(&[("keep-alive", "5")], b"", false)]
#[case::proxy_connection(&[("proxy-connection", "close")], b"", false)]
#[case::te(&[("te", "gzip")], b"", false)]
#[case::upper_case(&[("X-Upper", "a")], b"", false)]
#[case::value_nul(&[("x", "a\0b")], b"", false)]
#[case::value_cr(&[("x", "a\rb")], b"", false)]
#[case::value_lf(&[("x", "a\nb")], b"", false)]
#[case::pseudo_late(&[("x", "a"), (":path", "/b")], b"", false)]
#[case::pseudo_twice(&[(":path", "/b")], b"", false)]
#[case::pseudo_unknown(&[(":other", "b")], b"", false)]
#[case::longer(&[("content-length", "5")], b"abc", false)]
#[case::shorter(&[("content-length", "2")], b"abc", false)]
#[case::no_length(&[("content-length", "x")], b"abc", false)]
#[case::two_lengths(&[("content-length", "3"), ("content-length", "4")], b"abc", false)]
#[case::other_host(&[("host", "other")], b"", true)]
#[case::extended_connect(&[(":protocol", "websocket")], b"", false)]
fn refused(#[case] more: &[(&str, &str)], #[case] body: &[u8], #[case] answered: bool) {
    run(async {
        let world = world(UpstreamProtocol::UpstreamHttp1);
        let mut head: Vec<_> = HEAD.to_vec();
        let pseudo = |field: &&(&str, &str)| field.0 == ":protocol";
        head.extend(more.iter().filter(pseudo));
        head.extend(more.iter().filter(|field| !pseudo(field)));
        let end = u8::from(body.is_empty());
        let mut bytes = [PREFACE, &frame(1, 4 | end, &fields(&head))].concat();
        if !body.is_empty() {
            bytes.extend(frame(0, 1, body));
        }
        let mut client = world.connect().await;
        client.write_all(&bytes).await.unwrap();
        // A reset of stream 1, or the end of the connection, or an answer: whatever comes first after the settings.
        let seen = loop {
            let (kind, payload) = next_frame(&mut client).await;
            match kind {
                3 => break format!("reset {}", payload[3]),
                7 => break format!("goaway {}", payload[7]),
                1 => break format!("headers {:x?}", payload[0]),
                _ => {}
            }
        };
        let expected = if answered { "headers 8c" } else { "reset 1" };
        // 0x8c is `:status: 400` in HPACK's table.
        assert!(seen == expected || (!answered && seen == "goaway 1"), "{more:?}: {seen}");
    });
}

async fn next_frame(client: &mut (impl tokio::io::AsyncRead + Unpin)) -> (u8, Vec<u8>) {
    use tokio::io::AsyncReadExt as _;
    let mut head = [0; 9];
    client.read_exact(&mut head).await.unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    client.read_exact(&mut payload).await.unwrap();
    (head[3], payload)
}

#[rstest]
#[case::head(request_of("x", &"a".repeat(70_000)), 431)]
#[case::head_that_fits(request_of("x", &"a".repeat(50_000)), 200)]
#[case::target(request(&format!("/{}", "a".repeat(40_000))), 414)]
fn limits(#[case] request: Request<AnyBody>, #[case] status: u16) {
    run(async {
        let world = world(UpstreamProtocol::UpstreamHttp1);
        let response = world.http2().await.send_request(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
    });
}

fn request_of(name: &'static str, value: &str) -> Request<AnyBody> {
    let mut request = request("/");
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

/// A slow reader holds up its own stream, and not the memory.
#[test]
fn a_response_waits_for_its_reader() {
    run(async {
        let world = World::plain();
        let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = sent.clone();
        let endless = http2_server(move |_| {
            let count = count.clone();
            let frames = futures_util::stream::repeat_with(move || {
                count.fetch_add(16 * 1024, Relaxed);
                Ok(Frame::data(Bytes::from_static(&[0; 16 * 1024])))
            });
            async { Response::new(AnyBody::new(StreamBody::new(frames))) }
        });
        let address = world.servers.here("10.2.0.1:80", endless);
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let mut client = world.http2().await;
        let slow = client.send_request(request("/slow")).await.unwrap();
        let mut last = 0;
        // Until it stands still.
        while last != sent.load(Relaxed) || last == 0 {
            last = sent.load(Relaxed);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(last < 4 * 1024 * 1024, "{last} bytes for nobody");
        // Others go on.
        let mut other = client.send_request(request("/other")).await.unwrap();
        for _ in 0..100 {
            other.body_mut().frame().await.unwrap().unwrap();
        }
        drop((slow, other));
    });
}

/// gRPC to a port whose backend is not there is an answer of gRPC.
#[test]
fn errors_of_our_own_to_grpc() {
    run(async {
        let world = World::plain();
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[]);
        let mut request = request("/pkg.Service/Method");
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        let response = world.http2().await.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["grpc-status"], "14");
        assert_eq!(response.headers()["grpc-message"], "no healthy upstream");
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(" 200 UH no_healthy_upstream "), "{line}");
    });
}

/// Draining: GOAWAY, and what is open is finished.
#[rstest]
#[case::http1(false)]
#[case::http2(true)]
fn drain(#[case] http2: bool) {
    run(async {
        let world = World::new(crate::world::Setting {
            form: crate::world::frontend(l7::Protocol::Http, Vec::new()),
            ..Default::default()
        });
        let (go, wait) = tokio::sync::watch::channel(false);
        let server = http1_server(move |_| {
            let mut wait = wait.clone();
            async move {
                wait.wait_for(|go| *go).await.unwrap();
                Response::new(text("at last"))
            }
        });
        let address = world.servers.here("10.2.0.1:80", server);
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp1, &[address]);
        let (mut idle, mut silent) = (world.connect().await, world.connect().await);
        let response = async {
            if http2 {
                world.http2().await.send_request(request("/")).await.unwrap()
            } else {
                world.http1().await.send_request(get("/")).await.unwrap()
            }
        };
        let drain = async {
            tokio::task::yield_now().await;
            while world.worker.open() < 3 || world.worker.connected() < 1 {
                tokio::task::yield_now().await;
            }
            let drained = world.worker.drain(std::time::Duration::from_secs(10));
            let later = async {
                go.send_replace(true);
                idle.write_all(b"GET / HTTP/1.1\r\nhost: reviews\r\n\r\n").await.unwrap();
                let answer = read_all(&mut idle).await;
                let is_last = answer.contains("connection: close\r\n") && answer.ends_with("at last");
                assert!(is_last, "what was on its way is answered, and nothing after it: {answer}");
                assert_eq!(read_all(&mut silent).await, "", "who asks nothing is not waited for");
            };
            tokio::join!(drained, later);
        };
        let (response, ()) = tokio::join!(response, drain);
        if !http2 {
            assert_eq!(response.headers()["connection"], "close");
        }
        assert_eq!(body_of(response).await, "at last");
        assert_eq!(world.worker.open(), 0);
    });
}
