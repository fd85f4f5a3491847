//! What rules do.

use rstest::rstest;

use super::super::{action, rules};
use super::of_rule;

const WEB: &str = "route: [{destination: {host: web}}]";

#[rstest]
#[case::alone(WEB, "{action: Forward({web})}")]
#[case::port(
    "route: [{destination: {host: web, port: {number: 81}}}]",
    "{action: Forward({backends: [{weight: 1, target: Backend(web:81)}]})}"
)]
#[case::port_by_name(
    "route: [{destination: {host: web, port: {name: http-b}}}]",
    "{action: Forward({backends: [{weight: 1, target: Backend(web:81)}]})}"
)]
#[case::single_port_of_another(
    "route: [{destination: {host: api.back.svc.cluster.local}}]",
    "{action: Forward({backends: [{weight: 1, target: Backend(api.back:8080)}]})}"
)]
#[case::subset(
    "route: [{destination: {host: web, subset: v1}}]",
    "{action: Forward({backends: [{weight: 1, target: Backend(web:80 v1)}]})}"
)]
#[case::weight_of_one("route: [{destination: {host: web}, weight: 7}]", "{action: Forward({web})}")]
#[case::no_weight_of_one("route: [{destination: {host: web}, weight: 0}]", "{action: Forward({web})}")]
#[case::weights(
    "route: [{destination: {host: web}, weight: 3}, {destination: {host: web, subset: v1}}]",
    "{action: Forward({backends: [{weight: 3, target: Backend(web:80)}, {target: Backend(web:80 v1)}]})}"
)]
#[case::missing_host(
    "route: [{destination: {host: gone}}]",
    r#"{action: Forward({backends: [{weight: 1, target: Unavailable({status: 503, reason: "there is no host \"gone\""})}]})}"#
)]
#[case::redirect("redirect: {uri: /a}", r#"{action: Redirect({status: 301, path: Full("/a")})}"#)]
#[case::redirect_authority(
    "redirect: {authority: a.example}",
    r#"{action: Redirect({status: 301, host: "a.example"})}"#
)]
#[case::redirect_authority_with_port(
    "redirect: {authority: 'a.example:81'}",
    r#"{action: Redirect({status: 301, host: "a.example", port: Number(81)})}"#
)]
#[case::redirect_v6(
    "redirect: {authority: '[::1]:81'}",
    r#"{action: Redirect({status: 301, host: "[::1]", port: Number(81)})}"#
)]
#[case::redirect_bare_v6(
    "redirect: {authority: '[::1]'}",
    r#"{action: Redirect({status: 301, host: "[::1]"})}"#
)]
#[case::redirect_port("redirect: {port: 8080}", "{action: Redirect({status: 301, port: Number(8080)})}")]
#[case::redirect_request_port(
    "redirect: {derivePort: FROM_REQUEST_PORT}",
    "{action: Redirect({status: 301, port: Derived(FromRequestPort)})}"
)]
#[case::redirect_default_port(
    "redirect: {derive_port: FROM_PROTOCOL_DEFAULT}",
    "{action: Redirect({status: 301, port: Derived(FromProtocolDefault)})}"
)]
#[case::redirect_scheme(
    "redirect: {scheme: https, redirectCode: 307}",
    r#"{action: Redirect({status: 307, scheme: "https"})}"#
)]
#[case::redirect_prefix(
    "redirect: {prefixRewrite: /x}",
    r#"{action: Redirect({status: 301, path: Prefix("/x")})}"#
)]
#[case::direct("directResponse: {status: 404}", "{action: DirectResponse({status: 404})}")]
#[case::direct_text(
    "directResponse: {status: 200, body: {string: a}}",
    "{action: DirectResponse({status: 200, body: [97]})}"
)]
#[case::direct_bytes(
    "direct_response: {status: 200, body: {bytes: YQ==}}",
    "{action: DirectResponse({status: 200, body: [97]})}"
)]
fn actions(#[case] rule: &str, #[case] expected: &str) {
    let world = of_rule(&format!("{{{rule}}}"));
    assert_eq!(action(&rules(&world, "web.default.svc.cluster.local", 80)[0]), expected);
}

#[rstest]
#[case::uri("rewrite: {uri: /a}", r#"{web, rewrite: {path: Prefix("/a")}}"#)]
#[case::authority("rewrite: {authority: a.example}", r#"{web, rewrite: {authority: "a.example"}}"#)]
#[case::regex(
    r"rewrite: {uriRegexRewrite: {match: '^/(\w+)/(.*)$', rewrite: '/\2/\1\\'}}",
    r#"{web, rewrite: {path: Regex({pattern: "^/(\\w+)/(.*)$", substitution: "/\\2/\\1\\\\"})}}"#
)]
#[case::regex_to_nothing(
    "rewrite: {uri_regex_rewrite: {match: a}}",
    r#"{web, rewrite: {path: Regex({pattern: "a"})}}"#
)]
#[case::timeout("timeout: 1.5s", "{web, timeout: {seconds: 1, nanos: 500000000}}")]
#[case::no_timeout("timeout: 0s", "{web}")]
#[case::retries(
    "retries: {attempts: 3}",
    "{web, retry: {attempts: 3, on: [ConnectFailure, RefusedStream, GrpcCancelled, GrpcUnavailable]}}"
)]
#[case::no_retries(
    "retries: {attempts: 0}",
    "{web, retry: {on: [ConnectFailure, RefusedStream, GrpcCancelled, GrpcUnavailable]}}"
)]
#[case::try_timeout(
    "retries: {attempts: 1, retryOn: reset, perTryTimeout: 2s}",
    "{web, try_timeout: {seconds: 2}, retry: {attempts: 1, on: [Reset]}}"
)]
#[case::five_xx("retries: {attempts: 1, retryOn: 5xx}", "{web, retry: {attempts: 1, on: [FiveXx]}}")]
#[case::gateway_error(
    "retries: {attempts: 1, retryOn: gateway-error}",
    "{web, retry: {attempts: 1, on: [GatewayError]}}"
)]
#[case::reset_before(
    "retries: {attempts: 1, retryOn: reset-before-request}",
    "{web, retry: {attempts: 1, on: [ResetBeforeRequest]}}"
)]
#[case::connect_failure(
    "retries: {attempts: 1, retryOn: connect-failure}",
    "{web, retry: {attempts: 1, on: [ConnectFailure]}}"
)]
#[case::retriable(
    "retries: {attempts: 1, retryOn: retriable-4xx}",
    "{web, retry: {attempts: 1, on: [Retriable4xx]}}"
)]
#[case::refused(
    "retries: {attempts: 1, retryOn: refused-stream}",
    "{web, retry: {attempts: 1, on: [RefusedStream]}}"
)]
#[case::ratelimited(
    "retries: {attempts: 1, retryOn: envoy-ratelimited}",
    "{web, retry: {attempts: 1, on: [Ratelimited]}}"
)]
#[case::cancelled(
    "retries: {attempts: 1, retryOn: cancelled}",
    "{web, retry: {attempts: 1, on: [GrpcCancelled]}}"
)]
#[case::deadline(
    "retries: {attempts: 1, retryOn: deadline-exceeded}",
    "{web, retry: {attempts: 1, on: [GrpcDeadlineExceeded]}}"
)]
#[case::internal(
    "retries: {attempts: 1, retryOn: internal}",
    "{web, retry: {attempts: 1, on: [GrpcInternal]}}"
)]
#[case::exhausted(
    "retries: {attempts: 1, retryOn: resource-exhausted}",
    "{web, retry: {attempts: 1, on: [GrpcResourceExhausted]}}"
)]
#[case::unavailable(
    "retries: {attempts: 1, retryOn: unavailable}",
    "{web, retry: {attempts: 1, on: [GrpcUnavailable]}}"
)]
#[case::statuses(
    "retries: {attempts: 1, retryOn: '503, 429,retriable-status-codes'}",
    "{web, retry: {attempts: 1, statuses: [429, 503]}}"
)]
#[case::twice(
    "retries: {attempts: 1, retryOn: 'reset,reset,503,503'}",
    "{web, retry: {attempts: 1, on: [Reset], statuses: [503]}}"
)]
#[case::backoff(
    "retries: {attempts: 1, retryOn: reset, backoff: 5ms}",
    "{web, retry: {attempts: 1, on: [Reset], backoff: {nanos: 5000000}}}"
)]
#[case::remote(
    "retries: {attempts: 1, retryOn: reset, retryRemoteLocalities: true}",
    "{web, retry: {attempts: 1, on: [Reset], remote_localities: true}}"
)]
#[case::same_hosts(
    "retries: {attempts: 1, retryOn: reset, retryIgnorePreviousHosts: false}",
    "{web, retry: {attempts: 1, on: [Reset], same_endpoints: true}}"
)]
#[case::mirror(
    "mirror: {host: web, subset: v1}",
    "{web, mirrors: [{backend: web:80 v1, per_million: 1000000}]}"
)]
#[case::mirror_percentage(
    "mirror: {host: web}, mirrorPercentage: {value: 0.01}",
    "{web, mirrors: [{backend: web:80, per_million: 100}]}"
)]
#[case::mirror_percent(
    "mirror: {host: web}, mirrorPercent: 5",
    "{web, mirrors: [{backend: web:80, per_million: 50000}]}"
)]
#[case::mirror_of_nothing("mirror: {host: web}, mirrorPercentage: {}", "{web, mirrors: [{backend: web:80}]}")]
#[case::mirrors(
    "mirrors: [{destination: {host: web}}, {destination: {host: web, subset: v1}, percentage: {value: 50}}]",
    "{web, mirrors: [{backend: web:80, per_million: 1000000}, {backend: web:80 v1, per_million: 500000}]}"
)]
#[case::mirror_that_is_gone("mirror: {host: gone}", "{web}")]
fn forwards(#[case] rule: &str, #[case] expected: &str) {
    let world = of_rule(&format!("{{{WEB}, {rule}}}"));
    let found = action(&rules(&world, "web.default.svc.cluster.local", 80)[0]);
    assert_eq!(found, format!("{{action: Forward({expected})}}"));
}

#[rstest]
#[case::delay(
    "fault: {delay: {percentage: {value: 10}, fixedDelay: 2s}}",
    "fault: {delay: {per_million: 100000, duration: {seconds: 2}}}"
)]
#[case::delay_percent(
    "fault: {delay: {percent: 10, fixedDelay: 2s}}",
    "fault: {delay: {per_million: 100000, duration: {seconds: 2}}}"
)]
#[case::delay_of_nobody("fault: {delay: {fixedDelay: 2s}}", "fault: {delay: {duration: {seconds: 2}}}")]
#[case::abort(
    "fault: {abort: {percentage: {value: 100}, httpStatus: 400}}",
    "fault: {abort: {per_million: 1000000, status: Http(400)}}"
)]
#[case::abort_grpc(
    "fault: {abort: {percentage: {value: 100}, grpcStatus: NOT_FOUND}}",
    "fault: {abort: {per_million: 1000000, status: Grpc(5)}}"
)]
#[case::abort_grpc_number(
    "fault: {abort: {percentage: {value: 100}, grpcStatus: '14'}}",
    "fault: {abort: {per_million: 1000000, status: Grpc(14)}}"
)]
#[case::request_set(
    "headers: {request: {set: {A: b}}}",
    r#"request_headers: {set: [{name: "a", value: "b"}]}"#
)]
#[case::request_host(
    "headers: {request: {set: {Host: b}}}",
    r#"request_headers: {set: [{name: "host", value: "b"}]}"#
)]
#[case::request_authority(
    "headers: {request: {set: {':authority': b}}}",
    r#"request_headers: {set: [{name: ":authority", value: "b"}]}"#
)]
#[case::request_add(
    "headers: {request: {add: {A: b}}}",
    r#"request_headers: {add: [{name: "a", value: "b"}]}"#
)]
#[case::request_remove("headers: {request: {remove: [A]}}", r#"request_headers: {remove: ["a"]}"#)]
#[case::response(
    "headers: {response: {set: {A: b}, remove: [c]}}",
    r#"response_headers: {set: [{name: "a", value: "b"}], remove: ["c"]}"#
)]
#[case::old_append("appendHeaders: {A: b}", r#"request_headers: {add: [{name: "a", value: "b"}]}"#)]
#[case::old_remove("removeResponseHeaders: [A]", r#"response_headers: {remove: ["a"]}"#)]
#[case::cors(
    "corsPolicy: {allowOrigins: [{exact: a}], allowCredentials: true}",
    r#"cors: {allow_origins: [{kind: Exact("a")}], allow_credentials: true}"#
)]
#[case::cors_star(
    "corsPolicy: {allowOrigins: [{exact: '*'}]}",
    "cors: {allow_origins: [{kind: Present(true)}]}"
)]
#[case::cors_old(
    "corsPolicy: {allowOrigin: [a, '*']}",
    r#"cors: {allow_origins: [{kind: Exact("a")}, {kind: Present(true)}]}"#
)]
#[case::cors_age(
    "corsPolicy: {allowOrigins: [{prefix: a}], maxAge: 1m}",
    r#"cors: {allow_origins: [{kind: Prefix("a")}], max_age: {seconds: 60}}"#
)]
#[case::cors_ignore(
    "corsPolicy: {allowOrigins: [{prefix: a}], unmatchedPreflights: IGNORE}",
    r#"cors: {allow_origins: [{kind: Prefix("a")}], refuse_unmatched_preflights: true}"#
)]
fn others(#[case] rule: &str, #[case] expected: &str) {
    let world = of_rule(&format!("{{directResponse: {{status: 200}}, {rule}}}"));
    let found = action(&rules(&world, "web.default.svc.cluster.local", 80)[0]);
    assert_eq!(found.replace("action: DirectResponse({status: 200})", ""), format!("{{{expected}, }}"));
}

#[rstest]
#[case::no_match("", r#"Some(Prefix("/"))"#)]
#[case::no_path("match: [{method: {exact: GET}}], ", r#"Some(Prefix("/"))"#)]
#[case::prefix("match: [{uri: {prefix: /a}}], ", r#"Some(Prefix("/a"))"#)]
#[case::exact("match: [{uri: {exact: /a}}], ", r#"Some(Exact("/a"))"#)]
fn what_a_rewrite_replaces(#[case] matches: &str, #[case] expected: &str) {
    let world = of_rule(&format!("{{{matches}{WEB}, rewrite: {{uri: /b}}}}"));
    let rules = rules(&world, "web.default.svc.cluster.local", 80);
    let path = rules[0].matches[0].path.clone().unwrap();
    assert_eq!(format!("{:?}", path.kind), expected);
}
