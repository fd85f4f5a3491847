//! Tries, limits of time, limits of number, and what is kept of a body. In memory, where time passes when nothing happens.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use rstest::rstest;
use tokio::io::AsyncWriteExt as _;
use tokio::io::DuplexStream;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep};
use weir_proto::l7::{self, RetryOn, UpstreamProtocol, rule::Action};

use crate::world::{
    AnyBody, Setting, World, body_of, echo, forward, get, http1_server, nothing, read_until, rule,
    run_paused, text, weighted,
};

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

fn retrying(on: &[RetryOn], attempts: u32) -> l7::Forward {
    let on = on.iter().map(|on| i32::from(*on)).collect();
    l7::Forward { retry: Some(l7::Retry { attempts, on, ..Default::default() }), ..forward() }
}

fn world_of(forward: l7::Forward) -> World {
    World::new(Setting::rule(rule(Action::Forward(forward))))
}

/// A server of HTTP/1 that answers its first requests with 503, and counts all of them.
fn failing(failures: usize, seen: &Rc<RefCell<Vec<String>>>) -> impl Fn(DuplexStream) + use<> {
    let seen = seen.clone();
    http1_server(move |request| {
        let seen = seen.clone();
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            seen.borrow_mut().push(String::from_utf8_lossy(&body).into_owned());
            let mut response = Response::new(text("answer"));
            if seen.borrow().len() <= failures {
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            }
            response
        }
    })
}

#[rstest]
#[case::good_at_last(2, 3, 200, 3, "- via_upstream")]
#[case::never_good(9, 2, 503, 3, "- via_upstream")]
#[case::not_tried(9, 0, 503, 1, "- via_upstream")]
fn responses(
    #[case] failures: usize,
    #[case] attempts: u32,
    #[case] status: u16,
    #[case] tries: usize,
    #[case] said: &str,
) {
    run_paused(async {
        let world = world_of(retrying(&[RetryOn::GatewayError], attempts));
        let seen = Rc::default();
        let address = world.servers.here("10.2.0.1:80", failing(failures, &seen));
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let mut request = get("/");
        *request.method_mut() = http::Method::POST;
        *request.body_mut() = text("the whole body");
        let response = world.http1().await.send_request(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(body_of(response).await, "answer");
        assert_eq!(*seen.borrow(), vec!["the whole body"; tries]);
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(&format!(" {status} {said} ")), "{line}");
    });
}

/// A body that is larger than what is kept is sent once.
#[test]
fn large_bodies_are_not_kept() {
    run_paused(async {
        let world = world_of(retrying(&[RetryOn::GatewayError], 3));
        let seen = Rc::default();
        let address = world.servers.here("10.2.0.1:80", failing(1, &seen));
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let mut request = get("/");
        *request.method_mut() = http::Method::POST;
        *request.body_mut() = text(&"x".repeat(100_000));
        let response = world.http1().await.send_request(request).await.unwrap();
        assert_eq!(response.status().as_u16(), 503);
        assert_eq!(seen.borrow().len(), 1);
    });
}

/// Istio's default: another endpoint, if the first cannot be reached.
#[test]
fn an_endpoint_that_is_not_there() {
    run_paused(async {
        let world = world_of(forward());
        let good = world.servers.here("10.2.0.1:80", http1_server(echo));
        // Closed at once: nobody has looked at the request, but that is not known of a connection that was made.
        let bad = "127.0.0.1:1".parse().unwrap();
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[bad, good]);
        let mut client = world.http1().await;
        for _ in 0..4 {
            let response = client.send_request(get("/")).await.unwrap();
            assert_eq!(response.status(), 200);
            body_of(response).await;
        }
    });
}

#[rstest]
#[case::request(l7::Forward { timeout: seconds(3), ..forward() }, 3, "504 UT response_timeout")]
#[case::one_try(l7::Forward { try_timeout: seconds(2), ..forward() }, 2, "504 UT upstream_per_try_timeout")]
#[case::tries(
    l7::Forward { try_timeout: seconds(2), ..retrying(&[RetryOn::FiveXx], 2) }, 6, "504 UT,URX upstream_per_try_timeout",
)]
#[case::both(
    l7::Forward { timeout: seconds(5), try_timeout: seconds(2), ..retrying(&[RetryOn::FiveXx], 9) },
    5,
    "504 UT response_timeout",
)]
fn no_answer(#[case] forward: l7::Forward, #[case] after: u64, #[case] said: &str) {
    run_paused(async {
        let world = world_of(forward);
        let never = http1_server(|_| std::future::pending());
        let address = world.servers.here("10.2.0.1:80", never);
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let start = Instant::now();
        let response = world.http1().await.send_request(get("/")).await.unwrap();
        assert_eq!(response.status(), 504);
        assert_eq!(body_of(response).await, "upstream request timeout");
        assert_eq!(start.elapsed().as_secs(), after);
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(said), "{line}");
    });
}

/// A response whose body stands still after its head.
fn stuck() -> impl Fn(DuplexStream) {
    http1_server(|_| async {
        let first = futures_util::stream::iter([Ok(Frame::data(Bytes::from_static(b"first")))]);
        let body = futures_util::StreamExt::chain(first, futures_util::stream::pending());
        Response::new(AnyBody::new(StreamBody::new(body)))
    })
}

#[rstest]
#[case::timeout(l7::Forward { timeout: seconds(3), ..forward() }, None, 3, "200 UT response_timeout")]
#[case::idle(forward(), Some(Duration::from_secs(7)), 7, "200 SI stream_idle_timeout")]
fn an_answer_without_end(
    #[case] forward: l7::Forward,
    #[case] idle: Option<Duration>,
    #[case] after: u64,
    #[case] said: &str,
) {
    run_paused(async {
        let mut setting = Setting::rule(rule(Action::Forward(forward)));
        setting.config.stream_idle_time = idle;
        let world = World::new(setting);
        let address = world.servers.here("10.2.0.1:80", stuck());
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let start = Instant::now();
        let response = world.http1().await.send_request(get("/")).await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.into_body().collect().await.is_err(), "the end is no end");
        assert_eq!(start.elapsed().as_secs(), after);
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(said), "{line}");
    });
}

/// A kept connection that the server closes as the next request comes: the request goes on another.
#[test]
fn a_connection_that_is_closing() {
    run_paused(async {
        let world = world_of(l7::Forward { retry: Some(l7::Retry::default()), ..forward() });
        let connections = Rc::new(Cell::new(0));
        let count = connections.clone();
        let serve = move |mut stream: DuplexStream| {
            count.set(count.get() + 1);
            spawn_local(async move {
                read_until(&mut stream, "\r\n\r\n").await;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na").await.unwrap();
                // It reads the next request and closes without a word.
                read_until(&mut stream, "\r\n\r\n").await;
            });
        };
        let address = world.servers.here("10.2.0.1:80", serve);
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let mut client = world.http1().await;
        for expected in [1, 2, 3] {
            let response = client.send_request(get("/")).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(body_of(response).await, "a");
            assert_eq!(connections.get(), expected);
        }
        // What changes something is not sent twice.
        let mut post = get("/");
        *post.method_mut() = http::Method::POST;
        let response = client.send_request(post).await.unwrap();
        assert_eq!(response.status(), 503);
        let line = world.logged(4).await.remove(3);
        assert!(
            line.contains(" 503 UC upstream_reset_before_response_started{connection_termination} "),
            "{line}"
        );
    });
}

#[rstest]
#[case::requests(l7::ConnectionPool { max_requests: 1, ..Default::default() })]
#[case::pending(l7::ConnectionPool { max_connections: 1, max_pending_requests: 1, ..Default::default() })]
fn too_many_at_a_time(#[case] pool: l7::ConnectionPool) {
    run_paused(async {
        let world = world_of(forward());
        let slow = http1_server(|_| async {
            sleep(Duration::from_secs(1)).await;
            Response::new(text("slow"))
        });
        let address = world.servers.here("10.2.0.1:80", slow);
        let form = l7::Cluster { connection_pool: Some(pool), ..Default::default() };
        world.servers.cluster_of("shop/reviews", form, &[address]);
        let waits = pool.max_pending_requests as usize;
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(world.http1().await);
        }
        let asked = clients.iter_mut().map(|client| client.send_request(get("/")));
        let answers: Vec<_> = futures_util::future::join_all(asked).await;
        let over: Vec<_> = answers.into_iter().map(Result::unwrap).filter(|r| r.status() == 503).collect();
        assert_eq!(over.len(), 2 - waits);
        assert!(over.iter().all(|response| response.headers()["x-envoy-overloaded"] == "true"));
        let said = " 503 UO upstream_reset_before_response_started{overflow} ";
        assert!(world.logged(3).await.iter().any(|line| line.contains(said)), "{:?}", world.lines());
        assert_eq!(world.worker.connected(), 1);
    });
}

#[test]
fn mirrors() {
    run_paused(async {
        let mirror = l7::Mirror { backend: Some(crate::world::backend("shadow")), per_million: 1_000_000 };
        let world =
            world_of(l7::Forward { mirrors: vec![mirror], backends: vec![weighted("reviews")], ..forward() });
        let address = world.servers.here("10.2.0.1:80", http1_server(echo));
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let seen = Rc::default();
        let shadow = world.servers.here("10.2.0.2:80", failing(9, &seen));
        world.servers.cluster("shop/shadow", UpstreamProtocol::Same, &[shadow]);
        let mut request = get("/");
        *request.method_mut() = http::Method::POST;
        *request.body_mut() = text("both hear it");
        let response = world.http1().await.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(body_of(response).await.ends_with("both hear it"));
        while seen.borrow().is_empty() {
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(*seen.borrow(), ["both hear it"]);
    });
}

/// A mirror that is nowhere, or never reads, does not hold up anything.
#[rstest]
#[case::nowhere(false)]
#[case::stuck(true)]
fn mirrors_do_no_harm(#[case] stuck: bool) {
    run_paused(async {
        let mirror = l7::Mirror { backend: Some(crate::world::backend("shadow")), per_million: 1_000_000 };
        let world = world_of(l7::Forward { mirrors: vec![mirror], ..forward() });
        let address = world.servers.here("10.2.0.1:80", http1_server(echo));
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        if stuck {
            let kept = RefCell::new(Vec::new());
            let shadow = world.servers.here("10.2.0.2:80", move |stream| kept.borrow_mut().push(stream));
            world.servers.cluster("shop/shadow", UpstreamProtocol::Same, &[shadow]);
        }
        let mut request = get("/");
        *request.method_mut() = http::Method::POST;
        *request.body_mut() = text(&"x".repeat(1_000_000));
        let start = Instant::now();
        let response = world.http1().await.send_request(request).await.unwrap();
        assert!(body_of(response).await.ends_with("xxxx"));
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}

/// A client that goes away ends its request on the other side too.
#[test]
fn a_client_that_leaves() {
    run_paused(async {
        let world = world_of(forward());
        let gone = Rc::new(Cell::new(false));
        let told = gone.clone();
        let server = http1_server(move |_| {
            let guard = Guard(told.clone());
            async move {
                let _guard = guard;
                std::future::pending::<Response<AnyBody>>().await
            }
        });
        let address = world.servers.here("10.2.0.1:80", server);
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let mut client = world.connect_here();
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        sleep(Duration::from_secs(1)).await;
        drop(client);
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(" 0 DC downstream_remote_disconnect "), "{line}");
        sleep(Duration::from_secs(1)).await;
        assert!(gone.get(), "the server still works for nobody");
    });
}

struct Guard(Rc<Cell<bool>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[rstest]
#[case::never_asks("", 3600, "")]
#[case::slow_line("GE", 30, "")]
#[case::slow_head("GET / HTTP/1.1\r\nhost:", 30, "HTTP/1.1 408 Request Timeout")]
#[case::slow_later("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET", 30, "")]
#[case::keeps_quiet("GET / HTTP/1.1\r\nhost: a\r\n\r\n", 3600, "")]
fn slow_clients(#[case] sent: &str, #[case] after: u64, #[case] answer: &str) {
    run_paused(async {
        let direct = l7::DirectResponse { status: 204, body: Vec::new() };
        let world = World::new(Setting::rule(rule(Action::DirectResponse(direct))));
        let mut client = world.connect_here();
        client.write_all(sent.as_bytes()).await.unwrap();
        let start = Instant::now();
        let text = crate::world::read_all(&mut client).await;
        assert_eq!(start.elapsed().as_secs(), after, "{text}");
        assert!(text.contains(answer), "{text}");
    });
}

#[test]
fn quiet_clients_of_http2() {
    run_paused(async {
        let direct = l7::DirectResponse { status: 204, body: Vec::new() };
        let world = World::new(Setting::rule(rule(Action::DirectResponse(direct))));
        let mut client = world.http2().await;
        let mut request = get("/");
        *request.uri_mut() = "http://reviews/".parse().unwrap();
        assert_eq!(client.send_request(request).await.unwrap().status(), 204);
        let start = Instant::now();
        while world.worker.open() > 0 {
            sleep(Duration::from_secs(1)).await;
        }
        assert!((3600..3602).contains(&start.elapsed().as_secs()));
    });
}

/// One that does not even answer the ping before the last GOAWAY.
#[test]
fn dead_clients_of_http2() {
    run_paused(async {
        let direct = l7::DirectResponse { status: 204, body: Vec::new() };
        let world = World::new(Setting::rule(rule(Action::DirectResponse(direct))));
        let mut client = world.connect_here();
        client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let start = Instant::now();
        crate::world::read_all(&mut client).await;
        assert_eq!(start.elapsed().as_secs(), 3605);
    });
}

/// The body of a slow client does not stand in memory, and neither does that of a slow server's answer.
#[test]
fn bodies_wait_for_whoever_is_slow() {
    run_paused(async {
        let world = world_of(forward());
        let never = http1_server(|request: Request<hyper::body::Incoming>| async move {
            // Kept, and not read.
            let _body = request.into_body();
            std::future::pending::<Response<AnyBody>>().await
        });
        let address = world.servers.here("10.2.0.1:80", never);
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[address]);
        let mut client = world.connect_here();
        client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n").await.unwrap();
        let mut sent = 0;
        while let Ok(written) =
            tokio::time::timeout(Duration::from_secs(5), client.write(&[0; 16 * 1024])).await
        {
            sent += written.unwrap();
        }
        assert!((1..3_000_000).contains(&sent), "{sent} bytes went nowhere");
        let _ = nothing();
    });
}
