//! What a rule says is done: redirects, direct answers, faults, CORS, header operations, authorization, no route.

use http::{Method, Request, StatusCode};
use rstest::rstest;
use tokio::time::Instant;
use weir_proto::l7::{self, rule::Action};

use crate::world::{
    AnyBody, Setting, World, body_of, echo, forward, frontend, get, http1_server, rule, run, run_paused,
};

fn world(rule: l7::Rule) -> World {
    let world = World::new(Setting::rule(rule));
    let address = world.servers.here("10.2.0.1:8080", http1_server(echo));
    world.servers.cluster("shop/reviews", l7::UpstreamProtocol::Same, &[address]);
    world
}

fn header(name: &str, value: &str) -> l7::Header {
    l7::Header { name: name.into(), value: value.into() }
}

fn set(name: &str, value: &str) -> Option<l7::HeaderOperations> {
    Some(l7::HeaderOperations { set: vec![header(name, value)], ..Default::default() })
}

/// Status, headers and body, and the line in the log after `] `.
async fn ask(world: &World, request: Request<AnyBody>) -> (http::response::Parts, String, String) {
    let (head, body) = world.http1().await.send_request(request).await.unwrap().into_parts();
    let body = body_of(http::Response::new(body)).await;
    let line = world.logged(1).await.remove(0);
    (head, body, line.split_once("] ").unwrap().1.to_owned())
}

#[test]
fn a_redirect() {
    run(async {
        let redirect = l7::Redirect { status: 302, host: "else.where".into(), ..Default::default() };
        let rule = l7::Rule { response_headers: set("x-by", "rule"), ..rule(Action::Redirect(redirect)) };
        let (head, _, line) = ask(&world(rule), get("/a?b")).await;
        assert_eq!(head.status, 302);
        assert_eq!(head.headers["location"], "http://else.where/a?b");
        assert_eq!(head.headers["x-by"], "rule");
        assert!(line.contains(" 302 - direct_response "), "{line}");
    });
}

#[test]
fn a_direct_answer() {
    run(async {
        let direct = l7::DirectResponse { status: 418, body: b"short and stout".to_vec() };
        let (head, body, line) = ask(&world(rule(Action::DirectResponse(direct))), get("/")).await;
        assert_eq!((head.status.as_u16(), &*body), (418, "short and stout"));
        assert!(line.contains(" 418 - direct_response "), "{line}");
        assert!(line.ends_with("VirtualService/shop/reviews"), "{line}");
    });
}

#[test]
fn a_delay_on_purpose() {
    run_paused(async {
        let duration = Some(prost_types::Duration { seconds: 7, nanos: 0 });
        let delay = Some(l7::Delay { per_million: 1_000_000, duration });
        // Whoever is delayed is not timed out.
        let forward =
            l7::Forward { timeout: Some(prost_types::Duration { seconds: 1, nanos: 0 }), ..forward() };
        let rule =
            l7::Rule { fault: Some(l7::Fault { delay, abort: None }), ..rule(Action::Forward(forward)) };
        let start = Instant::now();
        let (head, _, line) = ask(&world(rule), get("/")).await;
        assert_eq!(head.status, 200);
        assert_eq!(start.elapsed().as_secs(), 7);
        assert!(line.contains(" 200 DI via_upstream "), "{line}");
    });
}

#[rstest]
#[case(l7::abort::Status::Http(555), false, 555, None)]
#[case(l7::abort::Status::Grpc(14), true, 200, Some("14"))]
#[case(l7::abort::Status::Grpc(14), false, 503, None)]
#[case(l7::abort::Status::Http(503), true, 200, Some("14"))]
fn a_failure_on_purpose(
    #[case] status: l7::abort::Status,
    #[case] grpc: bool,
    #[case] code: u16,
    #[case] grpc_status: Option<&str>,
) {
    run(async {
        let abort = Some(l7::Abort { per_million: 1_000_000, status: Some(status) });
        let rule =
            l7::Rule { fault: Some(l7::Fault { delay: None, abort }), ..rule(Action::Forward(forward())) };
        let mut request = get("/");
        if grpc {
            request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        }
        let (head, _, line) = ask(&world(rule), request).await;
        assert_eq!(head.status.as_u16(), code);
        assert_eq!(head.headers.get("grpc-status").map(|v| v.to_str().unwrap()), grpc_status);
        assert!(line.contains(&format!(" {code} FI fault_filter_abort ")), "{line}");
    });
}

#[test]
fn headers_and_rewrites() {
    run(async {
        let rewrite =
            l7::Rewrite { authority: "inner".into(), path: Some(l7::rewrite::Path::Full("/new".into())) };
        let mut forward = forward();
        forward.backends[0].request_headers = set("x-backend", "1");
        forward.backends[0].response_headers = set("x-from", "backend");
        forward.rewrite = Some(rewrite);
        let rule = l7::Rule {
            request_headers: set("x-rule", "1"),
            response_headers: set("x-by", "rule"),
            ..rule(Action::Forward(forward))
        };
        let (head, body, line) = ask(&world(rule), get("/old?q")).await;
        assert!(body.starts_with("GET /new?q HTTP/1.1\nhost: inner\n"), "{body}");
        assert!(body.contains("x-backend: 1\n") && body.contains("x-rule: 1\n"), "{body}");
        assert_eq!(
            (&head.headers["x-from"], &head.headers["x-by"]),
            (&"backend".parse().unwrap(), &"rule".parse().unwrap())
        );
        // The log says what the client asked for.
        assert!(line.starts_with("\"GET /old?q HTTP/1.1\" 200 "), "{line}");
    });
}

#[test]
fn other_origins() {
    run(async {
        let origin = l7::StringMatch {
            kind: Some(l7::string_match::Kind::Exact("http://a".into())),
            ignore_case: false,
        };
        let cors =
            l7::Cors { allow_origins: vec![origin], allow_methods: vec!["PUT".into()], ..Default::default() };
        let rule = l7::Rule { cors: Some(cors), ..rule(Action::Forward(forward())) };
        let (mut preflight, mut simple) = (get("/"), get("/"));
        *preflight.method_mut() = Method::OPTIONS;
        for request in [&mut preflight, &mut simple] {
            request.headers_mut().insert("origin", "http://a".parse().unwrap());
        }
        preflight.headers_mut().insert("access-control-request-method", "PUT".parse().unwrap());
        let world = world(rule);
        let (head, body, _) = ask(&world, preflight).await;
        assert_eq!((head.status, &*body), (StatusCode::OK, ""));
        assert_eq!(head.headers["access-control-allow-methods"], "PUT");
        let (head, body, _) = ask(&world, simple).await;
        assert_eq!(head.headers["access-control-allow-origin"], "http://a");
        assert!(body.starts_with("GET / "), "{body}");
    });
}

#[rstest]
#[case("/nowhere", false, 404, " 404 NR route_not_found ")]
#[case("/nowhere", true, 200, " 200 NR route_not_found ")]
#[case("/secret", false, 403, " 403 - rbac_access_denied ")]
#[case("/secret", true, 200, " 200 - rbac_access_denied ")]
#[case("/missing", false, 503, " 503 NC cluster_not_found ")]
#[case("/empty", false, 503, " 503 UH no_healthy_upstream ")]
#[case(
    "/closed",
    false,
    503,
    " 503 UF,URX upstream_reset_before_response_started{remote_connection_failure} "
)]
fn no_way(#[case] path: &str, #[case] grpc: bool, #[case] status: u16, #[case] said: &str) {
    run(async {
        let at = |path: &str, backend: &str| {
            let path =
                l7::PathMatch { kind: Some(l7::path_match::Kind::Exact(path.into())), ignore_case: false };
            let mut rule = rule(Action::Forward(l7::Forward {
                backends: vec![crate::world::weighted(backend)],
                ..forward()
            }));
            rule.matches.push(l7::Match { path: Some(path), ..Default::default() });
            rule
        };
        let rules = vec![
            at("/missing", "missing"),
            at("/empty", "empty"),
            at("/closed", "closed"),
            at("/secret", "closed"),
        ];
        let mut form = frontend(l7::Protocol::Http, rules);
        let secret = l7::AuthorizationPath {
            kind: Some(l7::authorization_path::Kind::Text(l7::StringMatch {
                kind: Some(l7::string_match::Kind::Exact("/secret".into())),
                ignore_case: false,
            })),
        };
        form.authorizations.push(l7::Authorization {
            namespace: "shop".into(),
            name: "keep-out".into(),
            action: l7::Action::Deny.into(),
            rules: vec![l7::AuthorizationRule {
                to: vec![l7::Operation { paths: vec![secret], ..Default::default() }],
                ..Default::default()
            }],
            dry_run: false,
        });
        let world = World::new(Setting { form, ..Setting::default() });
        world.servers.cluster("shop/empty", l7::UpstreamProtocol::Same, &[]);
        // Port 1 of this machine: nobody listens.
        world.servers.cluster("shop/closed", l7::UpstreamProtocol::Same, &["127.0.0.1:1".parse().unwrap()]);
        let mut request = get(path);
        if grpc {
            request.headers_mut().insert("content-type", "application/grpc+proto".parse().unwrap());
        }
        let (head, body, line) = ask(&world, request).await;
        assert_eq!(head.status.as_u16(), status, "{line}");
        assert_eq!(head.headers.contains_key("grpc-status"), grpc, "{head:?}");
        assert!(line.contains(said), "{line}");
        if status == 403 {
            assert_eq!(body, "RBAC: access denied");
            assert!(line.contains("shop/keep-out"), "{line}");
        }
    });
}

/// A request with a body whose answer does not wait for it: no 100, and no reset that takes the answer away.
#[rstest]
#[case::asks("expect: 100-continue\r\n", 0)]
#[case::sends("", 500_000)]
fn a_body_that_nobody_wants(#[case] header: &str, #[case] sent: usize) {
    run(async {
        let direct = l7::DirectResponse { status: 403, body: b"no".to_vec() };
        let world = world(rule(Action::DirectResponse(direct)));
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n{header}\r\n");
        let answer = world.raw(head + &"x".repeat(sent)).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.ends_with("no"), "{answer}");
    });
}
