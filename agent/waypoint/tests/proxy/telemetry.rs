//! What is said of requests and connections, held against the lists of Istio's names: `wire.md` 7.4's rows are the cases.

use std::time::Duration;

use http::{Request, Response};
use rstest::rstest;
use tokio::io::AsyncWriteExt as _;
use weir_proto::l7::{self, Protocol, UpstreamProtocol};

use crate::world::{
    AnyBody, Setting, World, forward, frontend, get, http2_server, nothing, raw_server, read_until, rule,
    run, text,
};

/// Of requests, in no order.
const REQUEST_LABELS: [&str; 24] = [
    "reporter",
    "source_workload",
    "source_canonical_service",
    "source_canonical_revision",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_cluster",
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_service",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_service_name",
    "destination_service_namespace",
    "destination_cluster",
    "request_protocol",
    "response_code",
    "response_flags",
    "connection_security_policy",
];
const BUCKETS: [&str; 20] = [
    "0.5",
    "1.0",
    "5.0",
    "10.0",
    "25.0",
    "50.0",
    "100.0",
    "250.0",
    "500.0",
    "1000.0",
    "2500.0",
    "5000.0",
    "10000.0",
    "30000.0",
    "60000.0",
    "300000.0",
    "600000.0",
    "1800000.0",
    "3600000.0",
    "+Inf",
];

/// Labels of the first sample of a metric.
fn labels(metrics: &str, name: &str) -> Vec<(String, String)> {
    let sample = metrics.lines().find(|line| line.starts_with(&format!("{name}{{")));
    let sample = sample.unwrap_or_else(|| panic!("no {name} in {metrics}"));
    let list = sample.split_once('{').unwrap().1.rsplit_once('}').unwrap().0;
    let pair = |text: &str| {
        let (name, value) = text.split_once("=\"").unwrap();
        (name.trim_start_matches(',').to_owned(), value.to_owned())
    };
    list.split_terminator('"').collect::<Vec<_>>().chunks(2).map(|two| pair(&two.join("\""))).collect()
}

fn label(labels: &[(String, String)], name: &str) -> String {
    labels.iter().find(|(known, _)| known == name).map_or_else(String::new, |(_, value)| value.clone())
}

fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<_> = names.into_iter().map(str::to_owned).collect();
    names.sort();
    names
}

#[rstest]
#[case::http(false, "istio_requests_total", &[])]
#[case::grpc(true, "istio_requests_total", &["grpc_response_status"])]
#[case::duration(false, "istio_request_duration_milliseconds_count", &[])]
#[case::request(false, "istio_request_bytes_sum", &[])]
#[case::response(false, "istio_response_bytes_sum", &[])]
#[case::messages(true, "istio_request_messages_total", &["grpc_response_status"])]
#[case::answers(true, "istio_response_messages_total", &["grpc_response_status"])]
fn labels_of_requests(#[case] grpc: bool, #[case] name: &str, #[case] more: &[&str]) {
    run(async {
        let world = served(grpc).await;
        let labels = labels(&world.metrics(), name);
        let names = sorted(labels.iter().map(|(name, _)| name.as_str()));
        assert_eq!(names, sorted(REQUEST_LABELS.iter().chain(more).copied()));
    });
}

#[rstest]
#[case("istio_tcp_connections_opened_total")]
#[case("istio_tcp_connections_closed_total")]
#[case("istio_tcp_sent_bytes_total")]
#[case("istio_tcp_received_bytes_total")]
fn labels_of_connections(#[case] name: &str) {
    run(async {
        let world = World::new(Setting { form: frontend(Protocol::Tcp, Vec::new()), ..Setting::default() });
        let server = raw_server(|mut stream| async move {
            stream.write_all(b"hello").await.unwrap();
            stream.shutdown().await.unwrap();
        });
        world.servers.cluster("shop/reviews", UpstreamProtocol::Same, &[server.await]);
        assert_eq!(world.raw("x").await, "hello");
        world.logged(0).await;
        let labels = labels(&world.metrics(), name);
        let names = sorted(labels.iter().map(|(name, _)| name.as_str()));
        assert_eq!(names, sorted(REQUEST_LABELS.into_iter().filter(|name| *name != "response_code")));
        assert_eq!(label(&labels, "request_protocol"), "tcp");
        assert_eq!(label(&labels, "destination_workload"), "reviews-v1");
    });
}

#[test]
fn buckets() {
    run(async {
        let world = served(false).await;
        let metrics = world.metrics();
        for name in ["istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"] {
            let samples = metrics.lines().filter(|line| line.starts_with(&format!("{name}_bucket{{")));
            let found: Vec<_> = samples.map(|line| line.split("le=\"").nth(1).unwrap()).collect();
            let found: Vec<_> = found.iter().map(|rest| rest.split('"').next().unwrap()).collect();
            assert_eq!(found, BUCKETS, "{name}");
        }
    });
}

/// A world that has answered one request.
async fn served(grpc: bool) -> World {
    let world = World::new(Setting { form: frontend(Protocol::Http, Vec::new()), ..Setting::default() });
    let serve = |_| async {
        let answer =
            Response::builder().header("content-type", "application/grpc").header("grpc-status", "5");
        answer.body(nothing()).unwrap()
    };
    let address = world.servers.here("10.2.0.1:80", http2_server(serve));
    world.servers.cluster("shop/reviews", UpstreamProtocol::UpstreamHttp2, &[address]);
    let mut request = Request::post("http://reviews/pkg.Service/Method").body(nothing()).unwrap();
    if grpc {
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    }
    let response = world.http2().await.send_request(request).await.unwrap();
    crate::world::body_of(response).await;
    world.logged(1).await;
    world
}

#[test]
fn values_of_a_call() {
    run(async {
        let labels = labels(&served(true).await.metrics(), "istio_requests_total");
        for (name, value) in [
            ("reporter", "waypoint"),
            ("request_protocol", "grpc"),
            ("response_code", "200"),
            ("grpc_response_status", "5"),
            ("response_flags", "-"),
            ("connection_security_policy", "none"),
            ("source_workload", "unknown"),
            ("source_canonical_revision", "latest"),
            ("destination_canonical_revision", "unknown"),
            ("destination_workload", "reviews-v1"),
            ("destination_workload_namespace", "shop"),
            ("destination_service", "reviews.shop.svc"),
            ("destination_service_name", "reviews"),
            ("destination_service_namespace", "shop"),
        ] {
            assert_eq!(label(&labels, name), value, "{name}");
        }
    });
}

/// What goes wrong, and how.
#[derive(Debug, Clone, Copy)]
enum Fate {
    NoRoute,
    NoBackend,
    NoEndpoint,
    NotConnected,
    Closed,
    Reset,
    NoHttp,
    Late,
    LateTry,
    Abort,
    Delay,
    BadRequest,
    Overflow,
}

#[rstest]
#[case(Fate::NoRoute, 404, "12", "NR", "route_not_found")]
#[case(Fate::NoBackend, 503, "14", "NC", "cluster_not_found")]
#[case(Fate::NoEndpoint, 503, "14", "UH", "no_healthy_upstream")]
#[case(
    Fate::NotConnected,
    503,
    "14",
    "UF,URX",
    "upstream_reset_before_response_started{remote_connection_failure}"
)]
#[case(Fate::Closed, 503, "14", "UC", "upstream_reset_before_response_started{connection_termination}")]
#[case(Fate::Reset, 503, "14", "UR", "upstream_reset_before_response_started{remote_reset}")]
#[case(Fate::NoHttp, 502, "14", "UPE", "upstream_reset_before_response_started{protocol_error}")]
#[case(Fate::Late, 504, "14", "UT", "response_timeout")]
#[case(Fate::LateTry, 504, "14", "UT", "upstream_per_try_timeout")]
#[case(Fate::Abort, 418, "2", "FI", "fault_filter_abort")]
#[case(Fate::Delay, 200, "", "DI", "via_upstream")]
#[case(Fate::BadRequest, 417, "2", "DPE", "http.unknown_expectation")]
#[case(Fate::Overflow, 503, "14", "UO", "upstream_reset_before_response_started{overflow}")]
fn fates(
    #[case] fate: Fate,
    #[case] code: u16,
    #[case] status: &str,
    #[case] flags: &str,
    #[case] details: &str,
    #[values(false, true)] grpc: bool,
) {
    run(async {
        let world = fated(fate).await;
        let mut request = get("http://reviews/");
        if grpc {
            request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        }
        if matches!(fate, Fate::BadRequest) {
            request.headers_mut().insert("expect", "a miracle".parse().unwrap());
        }
        let response = world.http2().await.send_request(request).await.unwrap();
        // A call hears of a failure in its own words.
        let (code, status) = match grpc && !status.is_empty() {
            true => (200, status),
            false => (code, ""),
        };
        assert_eq!(response.status().as_u16(), code);
        let said = response.headers().get("grpc-status").map_or("", |value| value.to_str().unwrap());
        assert_eq!(said, status);
        crate::world::body_of(response).await;
        let line = world.logged(1).await.remove(0);
        assert!(line.contains(&format!(" {code} {flags} {details} ")), "{line}");
        let labels = labels(&world.metrics(), "istio_requests_total");
        assert_eq!(label(&labels, "response_flags"), flags);
        assert_eq!(label(&labels, "response_code"), code.to_string());
        assert_eq!(label(&labels, "grpc_response_status"), status);
        assert_eq!(label(&labels, "request_protocol"), if grpc { "grpc" } else { "http" });
    });
}

async fn fated(fate: Fate) -> World {
    let per_million = 1_000_000;
    let mut forward = forward();
    let mut fault = None;
    let mut protocol = UpstreamProtocol::UpstreamHttp2;
    match fate {
        Fate::Late => forward.timeout = Some(Duration::from_millis(50).try_into().unwrap()),
        Fate::LateTry => forward.try_timeout = Some(Duration::from_millis(50).try_into().unwrap()),
        Fate::NoBackend => forward.backends = vec![crate::world::weighted("nobody")],
        Fate::Abort => {
            let status = Some(l7::abort::Status::Http(418));
            fault = Some(l7::Fault { abort: Some(l7::Abort { per_million, status }), delay: None });
        }
        Fate::Delay => {
            let duration = Some(Duration::from_millis(10).try_into().unwrap());
            fault = Some(l7::Fault { delay: Some(l7::Delay { per_million, duration }), abort: None });
        }
        Fate::Closed | Fate::NoHttp => protocol = UpstreamProtocol::UpstreamHttp1,
        _ => {}
    }
    let mut rule = rule(l7::rule::Action::Forward(forward));
    rule.fault = fault;
    if matches!(fate, Fate::NoRoute) {
        let kind = Some(l7::path_match::Kind::Exact("/other".into()));
        let path = Some(l7::PathMatch { kind, ignore_case: false });
        rule.matches = vec![l7::Match { path, ..Default::default() }];
    }
    let world = World::new(Setting::rule(rule));
    let address = match fate {
        Fate::Late | Fate::LateTry => {
            world.servers.here("10.2.0.1:80", http2_server(|_| std::future::pending::<Response<AnyBody>>()))
        }
        Fate::NotConnected => {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        }
        Fate::Closed => {
            raw_server(|mut stream| async move { drop(read_until(&mut stream, "\r\n\r\n").await) }).await
        }
        Fate::Reset => world.servers.here("10.2.0.1:80", reset),
        Fate::NoHttp => {
            raw_server(|mut stream| async move {
                stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n and so on\r\n").await.unwrap();
                crate::world::read_all(&mut stream).await;
            })
            .await
        }
        _ => world.servers.here("10.2.0.1:80", http2_server(|_| async { Response::new(text("ok")) })),
    };
    let addresses = if matches!(fate, Fate::NoEndpoint) { vec![] } else { vec![address] };
    let mut form = l7::Cluster { protocol: protocol.into(), ..Default::default() };
    if matches!(fate, Fate::Overflow) {
        form.connection_pool = Some(l7::ConnectionPool { max_requests: 1, ..Default::default() });
        occupy(&world, form).await;
        return world;
    }
    world.servers.cluster_of("shop/reviews", form, &addresses);
    world
}

/// A server whose requests are reset.
fn reset(stream: tokio::io::DuplexStream) {
    tokio::task::spawn_local(async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_request, mut respond))) = connection.accept().await {
            respond.send_reset(h2::Reason::INTERNAL_ERROR);
        }
    });
}

/// Takes the only place that there is.
async fn occupy(world: &World, form: l7::Cluster) {
    let (heard, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let hold = move |request: Request<hyper::body::Incoming>| {
        let _ = heard.send(request);
        std::future::pending::<Response<AnyBody>>()
    };
    let address = world.servers.here("10.2.0.2:80", http2_server(hold));
    world.servers.cluster_of("shop/reviews", form, &[address]);
    let mut client = world.http2().await;
    tokio::task::spawn_local(async move { client.send_request(get("http://reviews/first")).await.map(drop) });
    asked.recv().await.unwrap();
}
