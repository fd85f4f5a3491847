//! gRPC's own words: deadlines, trailers-only answers, messages that are large.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use rstest::rstest;
use weir_proto::l7::{self, UpstreamProtocol};

use crate::world::{AnyBody, Setting, World, forward, http2_server, nothing, rule, run, run_paused};

fn call(timeout: Option<&str>, body: AnyBody) -> Request<AnyBody> {
    let mut request = Request::post("http://reviews/pkg.Service/Method")
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(timeout) = timeout {
        request = request.header("grpc-timeout", timeout);
    }
    request.body(body).unwrap()
}

fn world(timeout: Option<Duration>) -> World {
    let timeout = timeout.map(|timeout| timeout.try_into().unwrap());
    let forward = l7::Forward { timeout, ..forward() };
    World::new(Setting::rule(rule(l7::rule::Action::Forward(forward))))
}

/// The shorter of the client's deadline and the route's timeout ends the call, each with its own status.
#[rstest]
#[case::the_clients(Some("50m"), None, 50, "4", "grpc_deadline_exceeded")]
#[case::the_clients_is_shorter(Some("50m"), Some(80), 50, "4", "grpc_deadline_exceeded")]
#[case::the_routes_is_shorter(Some("1S"), Some(80), 80, "14", "response_timeout")]
#[case::the_routes(None, Some(80), 80, "14", "response_timeout")]
#[case::no_time_that_can_be_read(Some("soon"), Some(80), 80, "14", "response_timeout")]
fn deadlines(
    #[case] asked: Option<&str>,
    #[case] route: Option<u64>,
    #[case] after: u64,
    #[case] status: &str,
    #[case] details: &str,
) {
    run_paused(async {
        let world = world(route.map(Duration::from_millis));
        let silent = http2_server(|_| std::future::pending::<Response<AnyBody>>());
        let address = world.servers.here("10.2.0.1:80", silent);
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp2, &[address]);
        let mut client = world.http2().await;
        let began = tokio::time::Instant::now();
        let response = client.send_request(call(asked, nothing())).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["grpc-status"], status);
        let took = began.elapsed().as_millis() as u64;
        assert!((after..after + 5).contains(&took), "{took} ms");
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(&format!(" 200 UT {details} ")), "{line}");
    });
}

/// Nobody but gRPC has that header.
#[test]
fn no_deadline_of_others() {
    run_paused(async {
        let world = world(None);
        let slow = http2_server(|_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Response::new(nothing())
        });
        let address = world.servers.here("10.2.0.1:80", slow);
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp2, &[address]);
        let mut request = call(Some("50m"), nothing());
        request.headers_mut().remove("content-type");
        assert_eq!(world.http2().await.send_request(request).await.unwrap().status(), 200);
    });
}

/// A backend that has nothing to say but its status.
#[test]
fn trailers_only() {
    run(async {
        let world = world(None);
        let refuse = http2_server(|_| async {
            let answer = Response::builder().header("content-type", "application/grpc");
            answer.header("grpc-status", "7").header("grpc-message", "no %C3%A9").body(nothing()).unwrap()
        });
        let address = world.servers.here("10.2.0.1:80", refuse);
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp2, &[address]);
        let response = world.http2().await.send_request(call(None, nothing())).await.unwrap();
        assert_eq!(response.headers()["grpc-status"], "7");
        assert_eq!(response.headers()["grpc-message"], "no %C3%A9");
        assert!(hyper::body::Body::is_end_stream(response.body()));
        world.logged(1).await;
        assert!(world.metrics().contains("grpc_response_status=\"7\""), "{}", world.metrics());
    });
}

/// A message larger than any window, both ways.
#[test]
fn large_messages() {
    run(async {
        let world = world(None);
        let echo = |request: Request<Incoming>| async {
            let body = request.into_body().map_err(std::io::Error::other).boxed_unsync();
            Response::builder().header("content-type", "application/grpc").body(body).unwrap()
        };
        let address = world.servers.here("10.2.0.1:80", http2_server(echo));
        world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp2, &[address]);
        let length: u32 = 8 * 1024 * 1024;
        let message = [&[0][..], &length.to_be_bytes(), &vec![7; length as usize]].concat();
        let body = Full::new(Bytes::from(message.clone())).map_err(|never| match never {}).boxed_unsync();
        let response = world.http2().await.send_request(call(None, body)).await.unwrap();
        let echoed = response.into_body().collect().await.unwrap().to_bytes();
        assert!(echoed == message, "{} bytes of {}", echoed.len(), message.len());
        world.logged(1).await;
        let metrics = world.metrics();
        for name in ["istio_request_messages_total{", "istio_response_messages_total{"] {
            let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
            assert!(line.ends_with(" 1"), "{line}");
        }
    });
}
