//! What is said of rules that are not as they should be.

use rstest::rstest;

use super::super::{action, rules, told};
use super::of_rule;

const FAILS: &str = "what matches the rule is answered with 503";
const OUT: &str = "the rule is left out";
const WEB: &str = "route: [{destination: {host: web}}]";

fn problems_of(rule: &str) -> String {
    let world = of_rule(rule);
    told(world.virtual_services[0].problems(&[], &world, &world.mesh).iter())
}

#[rstest]
#[case::no_action("{}", "spec.http[0]: does nothing: route, redirect, directResponse or delegate is missing")]
#[case::empty_route(
    "{route: []}",
    "spec.http[0]: does nothing: route, redirect, directResponse or delegate is missing"
)]
#[case::two_actions(
    "{route: [{destination: {host: web}}], redirect: {uri: /}}",
    "spec.http[0]: route, redirect and directResponse exclude each other"
)]
#[case::route_is_no_list(
    "{route: {destination: {host: web}}}",
    "spec.http[0].route: invalid type: map, expected a sequence"
)]
#[case::unknown_field(
    "{route: [{destination: {host: web}}], timeouts: 1s}",
    "spec.http[0].timeouts: is not a field that is known here"
)]
#[case::unknown_in_route(
    "{route: [{destination: {host: web}, wieght: 1}]}",
    "spec.http[0].route[0].wieght: is not a field that is known here"
)]
#[case::unknown_in_destination(
    "{route: [{destination: {hots: web}}]}",
    "spec.http[0].route[0].destination.hots: unknown field `hots`, expected one of `host`, `subset`, `port`"
)]
#[case::weight_is_text(
    "{route: [{destination: {host: web}, weight: much}]}",
    "spec.http[0].route[0].weight: invalid type: string \"much\", expected i32"
)]
#[case::negative_weight(
    "{route: [{destination: {host: web}, weight: -1}, {destination: {host: web}, weight: 1}]}",
    "spec.http[0].route: the weight -1 is negative"
)]
#[case::zero_weights(
    "{route: [{destination: {host: web}}, {destination: {host: web}}]}",
    "spec.http[0].route: all weights are 0: nothing would be sent anywhere"
)]
#[case::redirect_code(
    "{redirect: {redirectCode: 418}}",
    "spec.http[0].redirect.redirectCode: 418 is no redirect; expected 301, 302, 303, 307 or 308"
)]
#[case::redirect_paths(
    "{redirect: {uri: /a, prefixRewrite: /b}}",
    "spec.http[0].redirect.prefixRewrite: uri and prefixRewrite exclude each other"
)]
#[case::redirect_ports(
    "{redirect: {port: 1, derivePort: FROM_REQUEST_PORT}}",
    "spec.http[0].redirect.derivePort: port and derivePort exclude each other"
)]
#[case::redirect_port(
    "{redirect: {port: 70000}}",
    "spec.http[0].redirect.port: 70000 is not a port; expected 1 to 65535"
)]
#[case::redirect_derive(
    "{redirect: {derivePort: GUESS}}",
    "spec.http[0].redirect.derivePort: unknown variant `GUESS`, expected `FROM_PROTOCOL_DEFAULT` or `FROM_REQUEST_PORT`"
)]
#[case::redirect_scheme(
    "{redirect: {scheme: ftp}}",
    "spec.http[0].redirect.scheme: \"ftp\" is neither http nor https"
)]
#[case::redirect_path("{redirect: {uri: 'a b'}}", "spec.http[0].redirect.uri: \"a b\" is not a path")]
#[case::redirect_host(
    "{redirect: {authority: 'a b'}}",
    "spec.http[0].redirect.authority: \"a b\" is not a host"
)]
#[case::rewrite_path(
    "{route: [{destination: {host: web}}], rewrite: {uri: 'a#b'}}",
    "spec.http[0].rewrite.uri: \"a#b\" is not a path"
)]
#[case::rewrite_host(
    "{route: [{destination: {host: web}}], rewrite: {authority: a@b}}",
    "spec.http[0].rewrite.authority: \"a@b\" is not a host"
)]
#[case::rewrite_to_blanks(
    "{route: [{destination: {host: web}}], rewrite: {uriRegexRewrite: {match: a, rewrite: 'b c'}}}",
    "spec.http[0].rewrite.uriRegexRewrite.rewrite: \"b c\" is not a path"
)]
#[case::direct_without_body(
    "{directResponse: {status: 204, body: {string: a}}}",
    "spec.http[0].directResponse.body: responses of status 204 have none"
)]
#[case::direct_status(
    "{directResponse: {status: 99}}",
    "spec.http[0].directResponse.status: 99 is not a status; expected 200 to 599"
)]
#[case::direct_bodies(
    "{directResponse: {status: 200, body: {string: a, bytes: YQ==}}}",
    "spec.http[0].directResponse.body: string and bytes exclude each other"
)]
#[case::direct_base64(
    "{directResponse: {status: 200, body: {bytes: '!'}}}",
    "spec.http[0].directResponse.body.bytes: is not base64"
)]
#[case::rewrites(
    "{route: [{destination: {host: web}}], rewrite: {uri: /a, uriRegexRewrite: {match: a}}}",
    "spec.http[0].rewrite.uriRegexRewrite: uri and uriRegexRewrite exclude each other"
)]
#[case::rewrite_regex(
    "{route: [{destination: {host: web}}], rewrite: {uriRegexRewrite: {match: '('}}}",
    "spec.http[0].rewrite.uriRegexRewrite.match: is no regular expression of RE2: unclosed group"
)]
#[case::rewrite_group(
    "{route: [{destination: {host: web}}], rewrite: {uriRegexRewrite: {match: a, rewrite: '\\1'}}}",
    "spec.http[0].rewrite.uriRegexRewrite.rewrite: \\1 is named, and the expression has 0 groups"
)]
#[case::rewrite_backslash(
    "{route: [{destination: {host: web}}], rewrite: {uriRegexRewrite: {match: a, rewrite: '\\x'}}}",
    "spec.http[0].rewrite.uriRegexRewrite.rewrite: a backslash is followed by a digit or another backslash"
)]
#[case::header_name(
    "{route: [{destination: {host: web}}], headers: {request: {set: {'a b': c}}}}",
    "spec.http[0].headers.request.set[a b]: \"a b\" is not the name of a header"
)]
#[case::header_value(
    "{route: [{destination: {host: web}}], headers: {request: {set: {a: \"b\\nc\"}}}}",
    "spec.http[0].headers.request.set.a: \"b\\nc\" has characters that headers do not have"
)]
#[case::header_direction(
    "{route: [{destination: {host: web}}], headers: {reqeust: {}}}",
    "spec.http[0].headers.reqeust: unknown field `reqeust`, expected `request` or `response`"
)]
fn rule_fails(#[case] rule: &str, #[case] expected: &str) {
    assert_eq!(problems_of(rule), format!("{expected} ({FAILS})"));
    let world = of_rule(rule);
    let rules = rules(&world, "web.default.svc.cluster.local", 80);
    assert_eq!(action(&rules[0]), "{action: DirectResponse({status: 503})}");
}

#[rstest]
#[case::regex(
    "{uri: {regex: '['}}",
    ".match[0].uri.regex: is no regular expression of RE2: unclosed character class"
)]
#[case::look_ahead(
    "{uri: {regex: '(?=a)'}}",
    ".match[0].uri.regex: is no regular expression of RE2: look-around, including look-ahead and look-behind, is not supported"
)]
#[case::too_big(
    "{uri: {regex: '(((a{99}){99}){99})'}}",
    ".match[0].uri.regex: needs more than 1048576 bytes when compiled"
)]
#[case::two_kinds(
    "{uri: {exact: a, prefix: b}}",
    ".match[0].uri: exact, prefix and regex exclude each other"
)]
#[case::unknown_kind(
    "{uri: {suffix: a}}",
    ".match[0].uri.suffix: unknown field `suffix`, expected one of `exact`, `prefix`, `regex`"
)]
#[case::text("{uri: /a}", ".match[0].uri: invalid type: string \"/a\", expected an object")]
#[case::unknown(
    "{url: {exact: a}}",
    ".match[0].url: unknown field `url`, expected one of `name`, `uri`, `scheme`, `method`, `authority`, `headers`, `withoutHeaders`, `queryParams`, `ignoreUriCase`, `port`, `sourceLabels`, `sourceNamespace`, `gateways`, `statPrefix`"
)]
#[case::null_header("{headers: {a: null}}", ".match[0].headers.a: invalid type: null, expected an object")]
#[case::header_name("{headers: {'a b': {}}}", ".match[0].headers[a b]: \"a b\" is not the name of a header")]
#[case::header_regex(
    "{headers: {a: {regex: '*a'}}}",
    ".match[0].headers.a.regex: is no regular expression of RE2: repetition operator missing expression"
)]
#[case::claims(
    "{headers: {'@request.auth.claims.sub': {exact: a}}}",
    ".match[0].headers[@request.auth.claims.sub]: routes by claims of a token need JWT, which is not there yet"
)]
#[case::path(
    "{headers: {':path': {exact: /}}}",
    ".match[0].headers[:path]: :path is no header; the match has fields of its own for it"
)]
#[case::without_pseudo(
    "{withoutHeaders: {':method': {exact: GET}}}",
    ".match[0].withoutHeaders[:method]: :method is no header; the match has fields of its own for it"
)]
#[case::method_twice(
    "{method: {exact: GET}, headers: {':method': {exact: GET}}}",
    ".match[0].headers[:method]: is said twice"
)]
#[case::port("{port: 0}", ".match[0].port: 0 is not a port; expected 1 to 65535")]
#[case::labels("{sourceLabels: [a]}", ".match[0].sourceLabels: invalid type: sequence, expected a map")]
#[case::not_an_object("a", ".match[0]: invalid type: string \"a\", expected an object")]
#[case::second(
    "{uri: {exact: /}}, {uri: {regex: '('}}",
    ".match[1].uri.regex: is no regular expression of RE2: unclosed group"
)]
fn rule_is_left_out(#[case] blocks: &str, #[case] expected: &str) {
    let rule = format!("{{match: [{blocks}], {WEB}}}");
    assert_eq!(problems_of(&rule), format!("spec.http[0]{expected} ({OUT})"));
    assert_eq!(rules(&of_rule(&rule), "web.default.svc.cluster.local", 80), []);
}

#[rstest]
#[case::timeout(
    "timeout: soon",
    "timeout: \"soon\" is not a duration, for example 1h, 1m, 1.5s or 100ms (ignored)"
)]
#[case::timeout_number("timeout: 5", "timeout: invalid type: integer `5`, expected a string (ignored)")]
#[case::negative_timeout("timeout: -1s", "timeout: \"-1s\" is negative (ignored)")]
#[case::negative_attempts(
    "retries: {attempts: -1}",
    "retries.attempts: -1 is negative: nothing is retried (ignored)"
)]
#[case::no_attempts("retries: {retryOn: 5xx}", "retries.attempts: is 0: nothing is retried")]
#[case::retry_word(
    "retries: {attempts: 1, retryOn: 'reset,sometimes'}",
    "retries.retryOn: \"sometimes\" is no reason to retry (ignored)"
)]
#[case::retry_status(
    "retries: {attempts: 1, retryOn: 'reset,99'}",
    "retries.retryOn: \"99\" is no reason to retry (ignored)"
)]
#[case::retry_headers(
    "retries: {attempts: 1, retryOn: 'reset,retriable-headers'}",
    "retries.retryOn: retriable-headers cannot be done (ignored)"
)]
#[case::retry_no_statuses(
    "retries: {attempts: 1, retryOn: 'reset,retriable-status-codes'}",
    "retries.retryOn: retriable-status-codes names no statuses; list them in retryOn"
)]
#[case::retry_unknown(
    "retries: {attempts: 1, retryOnn: a}",
    "retries.retryOnn: is not a field that is known here (ignored)"
)]
#[case::retry_flag(
    "retries: {attempts: 1, retryRemoteLocalities: perhaps}",
    "retries.retryRemoteLocalities: invalid type: string \"perhaps\", expected a boolean (ignored)"
)]
#[case::empty_fault("fault: {}", "fault: has neither a delay nor an abort")]
#[case::fault_unknown(
    "fault: {latency: {}, abort: {httpStatus: 500, percentage: {value: 1}}}",
    "fault.latency: is not a field that is known here (ignored)"
)]
#[case::no_percentage(
    "fault: {abort: {httpStatus: 500}}",
    "fault.abort.percentage: is missing: it happens to no request"
)]
#[case::percentage(
    "fault: {abort: {httpStatus: 500, percentage: {value: 101}}}",
    "fault.abort.percentage.value: 101 is not a percentage; expected 0 to 100 (ignored)"
)]
#[case::short_delay(
    "fault: {delay: {fixedDelay: 1us, percentage: {value: 1}}}",
    "fault.delay.fixedDelay: must be at least 1ms (ignored)"
)]
#[case::no_delay("fault: {delay: {percentage: {value: 1}}}", "fault.delay.fixedDelay: is missing (ignored)")]
#[case::exponential(
    "fault: {delay: {exponentialDelay: 1s, percentage: {value: 1}}}",
    "fault.delay.exponentialDelay: a delay can be fixed only (ignored)"
)]
#[case::abort_status(
    "fault: {abort: {httpStatus: 100, percentage: {value: 1}}}",
    "fault.abort.httpStatus: 100 is not a status; expected 200 to 599 (ignored)"
)]
#[case::abort_grpc(
    "fault: {abort: {grpcStatus: BROKEN, percentage: {value: 1}}}",
    "fault.abort.grpcStatus: \"BROKEN\" is not a status of gRPC (ignored)"
)]
#[case::abort_http2(
    "fault: {abort: {http2Error: X, percentage: {value: 1}}}",
    "fault.abort.http2Error: errors of HTTP/2 cannot be made (ignored)"
)]
#[case::abort_both(
    "fault: {abort: {httpStatus: 500, grpcStatus: OK, percentage: {value: 1}}}",
    "fault.abort: httpStatus, grpcStatus and http2Error exclude each other (ignored)"
)]
#[case::abort_nothing(
    "fault: {abort: {percentage: {value: 1}}}",
    "fault.abort: httpStatus or grpcStatus is missing (ignored)"
)]
#[case::cors_regex(
    "corsPolicy: {allowOrigins: [{regex: '('}]}",
    "corsPolicy.allowOrigins[0].regex: is no regular expression of RE2: unclosed group (ignored)"
)]
#[case::cors_nobody("corsPolicy: {}", "corsPolicy.allowOrigins: is missing: no origin is allowed")]
#[case::cors_preflights(
    "corsPolicy: {allowOrigins: [{exact: a}], unmatchedPreflights: MAYBE}",
    "corsPolicy.unmatchedPreflights: unknown variant `MAYBE`, expected one of `UNSPECIFIED`, `FORWARD`, `IGNORE` (ignored)"
)]
#[case::mirror_host(
    "mirror: {host: gone}",
    "mirror.host: there is no host \"gone.default.svc.cluster.local\" (ignored)"
)]
#[case::mirror_both(
    "mirror: {host: web}, mirrors: [{destination: {host: web}}]",
    "mirror: mirror and mirrors exclude each other; mirrors counts (ignored)"
)]
#[case::mirror_percent(
    "mirror: {host: web}, mirrorPercent: 5",
    "mirrorPercent: is deprecated; mirrorPercentage is its name now"
)]
#[case::websocket("websocketUpgrade: true", "websocketUpgrade: is not needed: upgrades are let through")]
#[case::remove_host(
    "headers: {request: {remove: [host]}}",
    "headers.request.remove[0]: a request without a host is no request (ignored)"
)]
#[case::pseudo(
    "headers: {request: {set: {':path': /}}}",
    "headers.request.set[:path]: \":path\" is no header that can be changed (ignored)"
)]
#[case::operator(
    "headers: {response: {set: {a: '%START_TIME%'}}}",
    "headers.response.set[a]: \"%START_TIME%\" is replaced by Envoy only; the header is left out (ignored)"
)]
#[case::empty_rewrite("rewrite: {}", "rewrite: says neither a uri nor an authority (ignored)")]
#[case::stat_prefix(
    "match: [{statPrefix: a}]",
    "match[0].statPrefix: Envoy's statistics of routes are not kept (ignored)"
)]
#[case::case_of_regex(
    "match: [{uri: {regex: a}, ignoreUriCase: true}]",
    "match[0].ignoreUriCase: says nothing about a regex; write (?i) into it"
)]
#[case::add_host(
    "headers: {request: {add: {Host: a}}}",
    "headers.request.add[host]: \"host\" is no header that can be changed (ignored)"
)]
#[case::host_of_response(
    "headers: {response: {set: {Host: a}}}",
    "headers.response.set[host]: \"host\" is no header that can be changed (ignored)"
)]
#[case::host_twice(
    "headers: {request: {set: {Host: a, ':authority': b}}}",
    "headers.request.set[host]: \"host\" is no header that can be changed (ignored)"
)]
#[case::no_host(
    "headers: {request: {set: {Host: a b}}}",
    "headers.request.set[host]: \"a b\" is not a host (ignored)"
)]
#[case::connection(
    "headers: {response: {remove: [Connection]}}",
    "headers.response.remove[0]: \"connection\" is no header that can be changed (ignored)"
)]
#[case::cors_method(
    "corsPolicy: {allowOrigins: [{exact: a}], allowMethods: ['a b']}",
    "corsPolicy.allowMethods[0]: \"a b\" is not a name of HTTP (ignored)"
)]
fn rule_holds(#[case] rule: &str, #[case] expected: &str) {
    let rule = format!("{{{WEB}, {rule}}}");
    assert_eq!(problems_of(&rule), format!("spec.http[0].{expected}"));
    let rules = rules(&of_rule(&rule), "web.default.svc.cluster.local", 80);
    assert!(action(&rules[0]).contains("Forward({web"), "{}", action(&rules[0]));
}

#[rstest]
#[case::host("{host: gone}", ".host: there is no host \"gone.default.svc.cluster.local\"")]
#[case::no_host("{}", ".host: is missing")]
#[case::wildcard(
    "{host: '*.default.svc.cluster.local'}",
    ".host: \"*.default.svc.cluster.local\" names no single host"
)]
#[case::near(
    "{host: web.default}",
    ".host: there is no host \"web.default\"; do you mean web.default.svc.cluster.local?"
)]
#[case::nearer(
    "{host: web.default.svc}",
    ".host: there is no host \"web.default.svc\"; do you mean web.default.svc.cluster.local?"
)]
#[case::subset(
    "{host: web, subset: v9}",
    ".subset: no DestinationRule that holds for web.default.svc.cluster.local has a subset \"v9\""
)]
#[case::port(
    "{host: web, port: {number: 99}}",
    ".port.number: web.default.svc.cluster.local has no port 99; it has 80, 81"
)]
#[case::port_name(
    "{host: web, port: {name: x}}",
    ".port.name: web.default.svc.cluster.local has no port named \"x\""
)]
fn share_fails(#[case] destination: &str, #[case] expected: &str) {
    let told = problems_of(&format!("{{route: [{{destination: {destination}}}]}}"));
    assert_eq!(told, format!("spec.http[0].route[0].destination{expected} (its share is answered with 503)"));
}

#[rstest]
#[case::no_object("text", "spec: invalid type: string \"text\", expected an object")]
#[case::unknown("{hosts: [web], hots: []}", "spec.hots: is not a field that is known here")]
#[case::hosts("{hosts: web}", "spec.hosts: invalid type: string \"web\", expected a sequence")]
#[case::host(
    "{hosts: ['*a'], http: [{directResponse: {status: 200}}]}",
    "spec.hosts[0]: \"*a\" is not a host"
)]
#[case::export(
    "{hosts: [web], exportTo: [A], http: [{directResponse: {status: 200}}]}",
    "spec.exportTo[0]: \"A\" is not a namespace, \".\", \"*\" or \"~\""
)]
#[case::http("{hosts: [web], http: {}}", "spec.http: invalid type: map, expected a sequence")]
#[case::gateway(
    "{hosts: [web], gateways: [a], http: [{directResponse: {status: 200}}]}",
    "spec.gateways[0]: gateways are not served yet: what is for \"a\" has no effect"
)]
#[case::tcp_delegate(
    "{tcp: [{route: [{destination: {host: web}}]}]}",
    "spec.hosts: is missing; only http routes can be delegated to"
)]
fn refused(#[case] spec: &str, #[case] expected: &str) {
    let world = super::super::world(&format!("{{kind: VirtualService, metadata: {{}}, spec: {spec}}}"));
    let service = &world.virtual_services[0];
    let told = told(service.problems(&[], &world, &world.mesh).iter());
    assert_eq!(told, format!("{expected} (the whole resource has no effect)"));
    assert_eq!(service.status(&[], &[], &world, &world.mesh)[0].status, "False");
    assert_eq!(rules(&world, "web.default.svc.cluster.local", 80), []);
}
