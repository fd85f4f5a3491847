//! What a backend does and wants, beside plain answers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use http::{Response, StatusCode};
use rstest::rstest;
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::task::spawn_local;
use tokio::time::sleep;
use weir_proto::l7::{self, Protocol, UpstreamProtocol, rule::Action};
use weir_waypoint::proxy::Settings;

use crate::world::{
    Setting, World, body_of, echo, forward, frontend, get, http1_server, read_until, rule, run, run_paused,
    text,
};

fn echoing(form: l7::Cluster, count: usize) -> World {
    let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
    let name = |n: usize| http1_server(move |_| async move { Response::new(text(&format!("server {n}"))) });
    let addresses: Vec<_> =
        (0..count).map(|n| world.servers.here(&format!("10.2.0.{n}:80"), name(n))).collect();
    world.servers.cluster_of("shop/reviews", form, &addresses);
    world
}

/// Each request goes by what holds when it begins, on a connection that is open as well.
#[test]
fn configuration_changes_under_a_connection() {
    run(async {
        let world = echoing(l7::Cluster::default(), 1);
        let mut client = world.http1().await;
        assert_eq!(body_of(client.send_request(get("/")).await.unwrap()).await, "server 0");
        for status in [410, 411] {
            let direct = Action::DirectResponse(l7::DirectResponse { status, body: Vec::new() });
            let form = frontend(Protocol::Http, vec![rule(direct)]);
            world.service.update(Settings::compile(&form, [], &l7::Waypoint::default()).unwrap());
            assert_eq!(client.send_request(get("/")).await.unwrap().status().as_u16(), status as u16);
        }
    });
}

/// Settings that change all the time do not cost connections, unless a connection depends on them.
#[test]
fn settings_change_under_a_pool() {
    run_paused(async {
        let world = echoing(l7::Cluster::default(), 1);
        let mut client = world.http1().await;
        for n in 1..4 {
            let detection = l7::OutlierDetection { consecutive_5xx: n, ..Default::default() };
            let form = l7::Cluster { outlier_detection: Some(detection), ..Default::default() };
            world.servers.reconfigure("shop/reviews", form);
            body_of(client.send_request(get("/")).await.unwrap()).await;
            assert_eq!(world.worker.connected(), 1);
        }
        let pool = l7::ConnectionPool { max_requests_per_connection: 2, ..Default::default() };
        world
            .servers
            .reconfigure("shop/reviews", l7::Cluster { connection_pool: Some(pool), ..Default::default() });
        body_of(client.send_request(get("/")).await.unwrap()).await;
        assert_eq!(world.worker.connected(), 1, "what is idle under the terms of before is closed");
        sleep(Duration::from_secs(3601)).await;
        assert_eq!(world.worker.connected(), 0);
    });
}

#[rstest]
#[case::requests(l7::ConnectionPool { max_requests_per_connection: 2, ..Default::default() }, 3)]
#[case::one(l7::ConnectionPool { max_requests_per_connection: 1, ..Default::default() }, 5)]
#[case::age(
    l7::ConnectionPool { max_connection_duration: Some(prost_types::Duration { seconds: 3, nanos: 0 }), ..Default::default() }, 2,
)]
#[case::idle(
    l7::ConnectionPool { idle_timeout: Some(prost_types::Duration { seconds: 0, nanos: 500_000_000 }), ..Default::default() }, 5,
)]
fn connections_grow_old(#[case] pool: l7::ConnectionPool, #[case] expected: usize) {
    run_paused(async {
        let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
        let connections = Rc::new(Cell::new(0));
        let (count, serve) = (connections.clone(), http1_server(echo));
        let address = world.servers.here("10.2.0.1:80", move |stream| {
            count.set(count.get() + 1);
            serve(stream);
        });
        let form = l7::Cluster { connection_pool: Some(pool), ..Default::default() };
        world.servers.cluster_of("shop/reviews", form, &[address]);
        let mut client = world.http1().await;
        for _ in 0..5 {
            body_of(client.send_request(get("/")).await.unwrap()).await;
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(connections.get(), expected);
    });
}

/// A cookie is made, and whoever brings it comes back to the same.
#[test]
fn affinity_by_cookie() {
    run(async {
        let cookie = l7::Cookie {
            name: "to".into(),
            path: "/".into(),
            ttl: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
            attributes: Vec::new(),
        };
        let hash = l7::ConsistentHash { key: Some(l7::consistent_hash::Key::Cookie(cookie)), table: None };
        let algorithm = Some(l7::load_balancer::Algorithm::ConsistentHash(hash));
        let load_balancer = Some(l7::LoadBalancer { algorithm, ..Default::default() });
        let world = echoing(l7::Cluster { load_balancer, ..Default::default() }, 5);
        let mut client = world.http1().await;
        for _ in 0..5 {
            let response = client.send_request(get("/")).await.unwrap();
            let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
            assert!(cookie.ends_with("; Max-Age=60; Path=/; HttpOnly"), "{cookie}");
            let server = body_of(response).await;
            let mut request = get("/");
            let value = cookie.split(';').next().unwrap();
            request.headers_mut().insert("cookie", value.parse().unwrap());
            let response = client.send_request(request).await.unwrap();
            assert!(!response.headers().contains_key("set-cookie"));
            assert_eq!(body_of(response).await, server);
        }
    });
}

/// Whoever keeps failing is left alone; gRPC's failures are in the trailers, or in the head.
#[test]
fn outliers() {
    run(async {
        let world = World::new(Setting {
            // Without tries: each failure is seen.
            form: frontend(
                Protocol::Http,
                vec![rule(Action::Forward(l7::Forward { retry: Some(l7::Retry::default()), ..forward() }))],
            ),
            ..Setting::default()
        });
        let bad = world.servers.here(
            "10.2.0.1:80",
            http1_server(|_| async {
                let mut response = Response::new(text("bad"));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }),
        );
        let good = world.servers.here("10.2.0.2:80", http1_server(echo));
        let detection =
            l7::OutlierDetection { consecutive_5xx: 2, max_ejection_percent: 50, ..Default::default() };
        let form = l7::Cluster { outlier_detection: Some(detection), ..Default::default() };
        world.servers.cluster_of("shop/reviews", form, &[bad, good]);
        let mut client = world.http1().await;
        let mut failed = 0;
        for _ in 0..20 {
            let response = client.send_request(get("/")).await.unwrap();
            failed += usize::from(response.status() == 500);
            body_of(response).await;
        }
        assert_eq!(failed, 2);
    });
}

/// With the PROXY protocol, a connection belongs to one client.
#[test]
fn introductions() {
    run(async {
        let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
        let heard = Rc::new(RefCell::new(Vec::new()));
        let said = heard.clone();
        let serve = http1_server(echo);
        let serve = Rc::new(serve);
        let address = world.servers.here("10.2.0.1:80", move |mut stream: DuplexStream| {
            let (said, serve) = (said.clone(), serve.clone());
            spawn_local(async move {
                let line = read_until(&mut stream, "\r\n").await;
                said.borrow_mut().push(line);
                serve(stream);
            });
        });
        world.servers.cluster_of(
            "shop/reviews",
            l7::Cluster { proxy_protocol: 1, ..Default::default() },
            &[address],
        );
        let mut client = world.http1().await;
        for _ in 0..2 {
            body_of(client.send_request(get("/")).await.unwrap()).await;
        }
        assert_eq!(*heard.borrow(), ["PROXY TCP4 10.0.0.9 10.1.0.1 4000 80\r\n"]);
    });
}

/// Answers that a client could read in two ways, or that are none.
#[rstest]
#[case::two_framings(
    "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
)]
#[case::two_lengths("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc")]
#[case::other_encoding("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n")]
#[case::no_encoding("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nabc")]
#[case::no_http("SSH-2.0-OpenSSH\r\n\r\n")]
#[case::folded("HTTP/1.1 200 OK\r\na: b\r\n c: d\r\n\r\n")]
#[case::bad_name("HTTP/1.1 200 OK\r\na b: c\r\n\r\n")]
#[case::nul("HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n")]
#[case::switching("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")]
fn answers_that_are_refused(#[case] answer: &'static str) {
    run(async {
        let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
        let address = world.servers.here("10.2.0.1:80", move |mut stream: DuplexStream| {
            spawn_local(async move {
                read_until(&mut stream, "\r\n\r\n").await;
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        });
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let text = world.raw("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        assert!(text.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{text}");
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(" 502 UPE upstream_reset_before_response_started{protocol_error} "), "{line}");
    });
}

/// An endpoint that refuses a stream has not looked at it: Istio's default tries another.
#[test]
fn a_refused_stream() {
    run(async {
        let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
        // SETTINGS, and for each stream RST_STREAM with REFUSED_STREAM.
        let refuse = |mut stream: DuplexStream| {
            spawn_local(async move {
                stream.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
                read_until(&mut stream, "SM\r\n\r\n").await;
                loop {
                    use tokio::io::AsyncReadExt as _;
                    let mut head = [0; 9];
                    if stream.read_exact(&mut head).await.is_err() {
                        return;
                    }
                    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
                    stream.read_exact(&mut payload).await.unwrap();
                    if head[3] == 1 {
                        let reset = [&[0, 0, 4, 3, 0][..], &head[5..], &[0, 0, 0, 7]].concat();
                        stream.write_all(&reset).await.unwrap();
                    }
                }
            });
        };
        let bad = world.servers.here("10.2.0.1:80", refuse);
        let good = world.servers.here("10.2.0.2:80", crate::world::http2_server(echo));
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp2, &[bad, good]);
        let mut client = world.http1().await;
        for _ in 0..4 {
            let mut request = get("/");
            *request.method_mut() = http::Method::POST;
            *request.body_mut() = text("sent twice");
            let response = client.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            assert!(body_of(response).await.ends_with("sent twice"));
        }
    });
}

/// A server of HTTP/2 that goes away after each answer: nobody notices.
#[test]
fn a_server_that_says_goodbye() {
    run(async {
        let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
        let goodbye = |stream: DuplexStream| {
            let (asked, go) = tokio::sync::watch::channel(false);
            let service = hyper::service::service_fn(move |request| {
                asked.send_replace(true);
                async { Ok::<_, std::convert::Infallible>(echo(request).await) }
            });
            let stream = hyper_util::rt::TokioIo::new(stream);
            spawn_local(async move {
                let mut builder = hyper::server::conn::http2::Builder::new(crate::world::Local);
                let mut server =
                    std::pin::pin!(builder.max_concurrent_streams(10).serve_connection(stream, service));
                let mut go = go;
                tokio::select! {
                    _ = &mut server => return,
                    _ = go.wait_for(|go| *go) => server.as_mut().graceful_shutdown(),
                }
                let _ = server.await;
            });
        };
        let address = world.servers.here("10.2.0.1:80", goodbye);
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp2, &[address]);
        let mut clients = Vec::new();
        for _ in 0..10 {
            clients.push(world.http1().await);
        }
        for _ in 0..5 {
            let asked = clients.iter_mut().map(|client| {
                let mut request = get("/");
                *request.method_mut() = http::Method::POST;
                *request.body_mut() = text("once");
                client.send_request(request)
            });
            for response in futures_util::future::join_all(asked).await {
                let response = response.unwrap();
                assert_eq!(response.status(), 200, "{:?}", world.lines());
                assert!(body_of(response).await.ends_with("once"));
            }
        }
    });
}

/// What the controller has refused, and what this connector cannot do, is not done in plaintext.
#[rstest]
#[case::refused(l7::Cluster { refused: "no such secret".into(), ..Default::default() }, "NC cluster_refused")]
#[case::tls(
    l7::Cluster { tls: Some(l7::UpstreamTls { mode: l7::TlsMode::Simple.into(), ..Default::default() }), ..Default::default() },
    "NC cluster_refused",
)]
fn nothing_goes_out(#[case] form: l7::Cluster, #[case] said: &str) {
    run(async {
        let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
        world.servers.cluster_of("shop/reviews", form, &["127.0.0.1:1".parse().unwrap()]);
        let response = world.http1().await.send_request(get("/")).await.unwrap();
        assert_eq!(response.status(), 503);
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(said), "{line}");
    });
}
