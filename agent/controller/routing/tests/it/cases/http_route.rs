//! Rules of HTTPRoutes.

use rstest::rstest;

use super::{action, rules, told, world};
use crate::text::line;
use crate::world::World;

const BACKEND: &str = "backendRefs: [{name: web, port: 80}]";
const HOST: &str = "web.default.svc.cluster.local";

fn of_rule(rule: &str) -> World {
    of_spec(&format!("{{parentRefs: [{{group: '', kind: Service, name: web}}], rules: [{rule}]}}"))
}

fn of_spec(spec: &str) -> World {
    world(&format!("{{kind: HTTPRoute, metadata: {{}}, spec: {spec}}}"))
}

/// Problems and conditions at the first parent.
fn status(world: &World) -> (String, String) {
    let parents = world.routes[0].status(&[], world, &world.mesh);
    let conditions =
        parents[0].conditions.iter().map(|one| format!("{}={} {}", one.kind, one.status, one.reason));
    (told(parents[0].problems.iter()), conditions.collect::<Vec<_>>().join(", "))
}

const GOOD: &str = "Accepted=True Accepted, ResolvedRefs=True ResolvedRefs";
/// A share of the requests gets an error.
const PARTLY: &str =
    "Accepted=True Accepted, PartiallyInvalid=True UnsupportedValue, ResolvedRefs=True ResolvedRefs";

#[rstest]
#[case::nothing("{}", r#"[{path: {kind: Segments("/")}}]"#)]
#[case::prefix("{path: {value: /a}}", r#"[{path: {kind: Segments("/a")}}]"#)]
#[case::prefix_with_type("{path: {type: PathPrefix, value: /a/}}", r#"[{path: {kind: Segments("/a")}}]"#)]
#[case::exact("{path: {type: Exact, value: /a/}}", r#"[{path: {kind: Exact("/a/")}}]"#)]
#[case::regex("{path: {type: RegularExpression, value: '/a+'}}", r#"[{path: {kind: Regex("/a+")}}]"#)]
#[case::no_value("{path: {type: Exact}}", r#"[{path: {kind: Exact("/")}}]"#)]
#[case::method("{method: GET}", r#"[{path: {kind: Segments("/")}, method: {kind: Exact("GET")}}]"#)]
#[case::header(
    "{headers: [{name: A, value: b}]}",
    r#"[{path: {kind: Segments("/")}, headers: [{name: "a", value: {kind: Exact("b")}}]}]"#
)]
#[case::header_regex(
    "{headers: [{type: RegularExpression, name: a, value: b+}]}",
    r#"[{path: {kind: Segments("/")}, headers: [{name: "a", value: {kind: Regex("b+")}}]}]"#
)]
#[case::header_twice(
    "{headers: [{name: a, value: b}, {name: A, value: c}]}",
    r#"[{path: {kind: Segments("/")}, headers: [{name: "a", value: {kind: Exact("b")}}]}]"#
)]
#[case::header_empty(
    "{headers: [{name: a, value: ''}]}",
    r#"[{path: {kind: Segments("/")}, headers: [{name: "a", value: {kind: Exact("")}}]}]"#
)]
#[case::query(
    "{queryParams: [{name: Q, value: a}]}",
    r#"[{path: {kind: Segments("/")}, query: [{name: "Q", value: {kind: Exact("a")}}]}]"#
)]
#[case::query_regex(
    "{queryParams: [{type: RegularExpression, name: q, value: a}]}",
    r#"[{path: {kind: Segments("/")}, query: [{name: "q", value: {kind: Regex("a")}}]}]"#
)]
#[case::query_twice(
    "{queryParams: [{name: q, value: a}, {name: q, value: b}]}",
    r#"[{path: {kind: Segments("/")}, query: [{name: "q", value: {kind: Exact("a")}}]}]"#
)]
fn matches(#[case] given: &str, #[case] expected: &str) {
    let world = of_rule(&format!("{{matches: [{given}], {BACKEND}}}"));
    assert_eq!(line(&rules(&world, HOST, 80)[0].matches), expected);
    assert_eq!(status(&world), (String::new(), GOOD.to_owned()));
}

#[rstest]
#[case::type_(
    "{path: {type: Suffix, value: /a}}",
    "path.type: \"Suffix\" is none of Exact, PathPrefix and RegularExpression"
)]
#[case::no_slash("{path: {value: a}}", "path.value: \"a\" does not begin with /")]
#[case::two_slashes("{path: {value: //a}}", "path.value: \"//a\" has //, which no request has")]
#[case::dots("{path: {value: /a/../b}}", "path.value: \"/a/../b\" has /../, which no request has")]
#[case::dots_at_the_end("{path: {type: Exact, value: /a/..}}", "path.value: \"/a/..\" ends with dots")]
#[case::encoded_slash("{path: {value: /a%2Fb}}", "path.value: \"/a%2Fb\" has %2F, which no request has")]
#[case::fragment("{path: {value: '/a#b'}}", "path.value: \"/a#b\" has #, which no request has")]
#[case::regex(
    "{path: {type: RegularExpression, value: '('}}",
    "path.value: is no regular expression of RE2: unclosed group"
)]
#[case::method(
    "{method: get}",
    "method: \"get\" is none of GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH"
)]
#[case::header_type(
    "{headers: [{type: Prefix, name: a, value: b}]}",
    "headers[0].type: \"Prefix\" is neither Exact nor RegularExpression"
)]
#[case::header_name(
    "{headers: [{name: 'a b', value: b}]}",
    "headers[0].name: \"a b\" is not the name of a header"
)]
#[case::pseudo_header("{headers: [{name: ':path', value: b}]}", "headers[0].name: \":path\" is no header")]
#[case::header_regex(
    "{headers: [{type: RegularExpression, name: a, value: '('}]}",
    "headers[0].value: is no regular expression of RE2: unclosed group"
)]
#[case::query_name("{queryParams: [{value: a}]}", "queryParams[0].name: is missing")]
#[case::unknown(
    "{path: {value: /}, cookies: []}",
    "cookies: unknown field `cookies`, expected one of `path`, `headers`, `queryParams`, `method`"
)]
fn bad_matches(#[case] given: &str, #[case] expected: &str) {
    let world = of_rule(&format!("{{matches: [{given}], {BACKEND}}}"));
    assert_eq!(rules(&world, HOST, 80), []);
    let expected = format!("spec.rules[0].matches[0].{expected} (the rule is left out)");
    assert_eq!(
        status(&world),
        (expected, "Accepted=False UnsupportedValue, ResolvedRefs=True ResolvedRefs".to_owned())
    );
    // Beside a good rule it is dropped alone.
    let world = of_rule(&format!("{{matches: [{given}], {BACKEND}}}, {{{BACKEND}}}"));
    assert_eq!(rules(&world, HOST, 80).len(), 1);
    let conditions = &world.routes[0].status(&[], &world, &world.mesh)[0].conditions;
    assert!(conditions[1].message.starts_with("Dropped Rule 0: "), "{conditions:?}");
    assert_eq!((conditions[0].status.as_str(), conditions[1].kind.as_str()), ("True", "PartiallyInvalid"));
}

#[rstest]
#[case::redirect(
    "{type: RequestRedirect, requestRedirect: {}}",
    "{action: Redirect({status: 302, port: Derived(FromProtocolDefault)})}"
)]
#[case::redirect_host(
    "{type: RequestRedirect, requestRedirect: {hostname: a.example, statusCode: 307}}",
    r#"{action: Redirect({status: 307, host: "a.example", port: Derived(FromProtocolDefault)})}"#
)]
#[case::redirect_https(
    "{type: RequestRedirect, requestRedirect: {scheme: https}}",
    r#"{action: Redirect({status: 302, scheme: "https", port: Derived(FromProtocolDefault)})}"#
)]
#[case::redirect_https_port(
    "{type: RequestRedirect, requestRedirect: {scheme: https, port: 443}}",
    r#"{action: Redirect({status: 302, scheme: "https", port: Derived(FromProtocolDefault)})}"#
)]
#[case::redirect_https_80(
    "{type: RequestRedirect, requestRedirect: {scheme: https, port: 80}}",
    r#"{action: Redirect({status: 302, scheme: "https", port: Number(80)})}"#
)]
#[case::redirect_http_port(
    "{type: RequestRedirect, requestRedirect: {scheme: http, port: 8080}}",
    r#"{action: Redirect({status: 302, scheme: "http", port: Number(8080)})}"#
)]
#[case::redirect_80(
    "{type: RequestRedirect, requestRedirect: {port: 80}}",
    "{action: Redirect({status: 302, port: Derived(FromProtocolDefault)})}"
)]
#[case::redirect_full(
    "{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /a}}}",
    r#"{action: Redirect({status: 302, port: Derived(FromProtocolDefault), path: Full("/a")})}"#
)]
#[case::redirect_prefix(
    "{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /a}}}",
    r#"{action: Redirect({status: 302, port: Derived(FromProtocolDefault), path: Prefix("/a")})}"#
)]
#[case::redirect_303(
    "{type: RequestRedirect, requestRedirect: {statusCode: 303}}",
    "{action: Redirect({status: 303, port: Derived(FromProtocolDefault)})}"
)]
fn redirects(#[case] filter: &str, #[case] expected: &str) {
    let world = of_rule(&format!("{{filters: [{filter}]}}"));
    assert_eq!(action(&rules(&world, HOST, 80)[0]), expected);
    assert_eq!(status(&world), (String::new(), GOOD.to_owned()));
}

/// Without a scheme and a port the parent's port is meant.
#[test]
fn redirect_to_the_parents_port() {
    let world = of_rule("{filters: [{type: RequestRedirect, requestRedirect: {hostname: a}}]}");
    let expected = r#"{action: Redirect({status: 302, host: "a", port: Number(81)})}"#;
    assert_eq!(action(&rules(&world, HOST, 81)[0]), expected);
}

#[rstest]
#[case::request(
    "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: A, value: b}]}}]",
    r#"{request_headers: {set: [{name: "a", value: "b"}]}, action: Forward({web})}"#
)]
#[case::request_twice(
    "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: A, value: b}, {name: a, value: c}]}}]",
    r#"{request_headers: {add: [{name: "a", value: "b"}]}, action: Forward({web})}"#
)]
#[case::response(
    "filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {remove: [A]}}]",
    r#"{response_headers: {remove: ["a"]}, action: Forward({web})}"#
)]
#[case::rewrite(
    "filters: [{type: URLRewrite, urlRewrite: {hostname: a.example}}]",
    r#"{action: Forward({web, rewrite: {authority: "a.example"}})}"#
)]
#[case::rewrite_full(
    "filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /a}}}]",
    r#"{action: Forward({web, rewrite: {path: Full("/a")}})}"#
)]
#[case::rewrite_prefix(
    "filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: ''}}}]",
    r#"{action: Forward({web, rewrite: {path: Prefix("")}})}"#
)]
#[case::mirror(
    "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 81}}}]",
    "{action: Forward({web, mirrors: [{backend: web:81, per_million: 1000000}]})}"
)]
#[case::mirror_percent(
    "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 81}, percent: 7}}]",
    "{action: Forward({web, mirrors: [{backend: web:81, per_million: 70000}]})}"
)]
#[case::mirror_fraction(
    "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 81}, fraction: {numerator: 1, denominator: 8}}}]",
    "{action: Forward({web, mirrors: [{backend: web:81, per_million: 125000}]})}"
)]
#[case::mirror_of_100(
    "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 81}, fraction: {numerator: 1}}}]",
    "{action: Forward({web, mirrors: [{backend: web:81, per_million: 10000}]})}"
)]
#[case::cors(
    "filters: [{type: CORS, cors: {allowOrigins: ['*']}}]",
    "{cors: {allow_origins: [{ignore_case: true, kind: Present(true)}], max_age: {seconds: 5}, refuse_unmatched_preflights: true}, action: Forward({web})}"
)]
#[case::timeouts(
    "timeouts: {request: 1m, backendRequest: 10s}",
    "{action: Forward({web, timeout: {seconds: 60}, try_timeout: {seconds: 10}})}"
)]
#[case::no_timeout(
    "timeouts: {request: 0s, backendRequest: 10s}",
    "{action: Forward({web, try_timeout: {seconds: 10}})}"
)]
#[case::retry(
    "retry: {}",
    "{action: Forward({web, retry: {attempts: 2, on: [Reset, ConnectFailure, RefusedStream]}})}"
)]
#[case::retry_codes(
    "retry: {attempts: 1, codes: [503, 429], backoff: 1s}",
    "{action: Forward({web, retry: {attempts: 1, on: [Reset, ConnectFailure, RefusedStream], statuses: [429, 503], backoff: {seconds: 1}}})}"
)]
fn forwards(#[case] parts: &str, #[case] expected: &str) {
    let world = of_rule(&format!("{{{parts}, {BACKEND}}}"));
    assert_eq!(action(&rules(&world, HOST, 80)[0]), expected);
    assert_eq!(status(&world), (String::new(), GOOD.to_owned()));
}

#[rstest]
#[case::unknown_filter(
    "filters: [{type: Magic}]",
    "filters[0].type: \"Magic\" is no filter of a rule of HTTPRoutes",
    "UnsupportedValue"
)]
#[case::no_type(
    "filters: [{}]",
    "filters[0].type: \"\" is no filter of a rule of HTTPRoutes",
    "UnsupportedValue"
)]
#[case::extension(
    "filters: [{type: ExtensionRef, extensionRef: {group: a, kind: B, name: c}}]",
    "filters[0].extensionRef: \"a/B\" is no filter that is known here",
    "UnsupportedValue"
)]
#[case::external_auth(
    "filters: [{type: ExternalAuth, externalAuth: {}}]",
    "filters[0].type: external authorization is not there yet",
    "UnsupportedValue"
)]
#[case::missing_part("filters: [{type: CORS}]", "filters[0].cors: is missing", "UnsupportedValue")]
#[case::twice(
    "filters: [{type: CORS, cors: {}}, {type: CORS, cors: {}}]",
    "filters[1].type: is there twice",
    "IncompatibleFilters"
)]
#[case::cors_star(
    "filters: [{type: CORS, cors: {allowMethods: ['*', GET]}}]",
    "filters[0].cors.allowMethods: * stands alone",
    "UnsupportedValue"
)]
#[case::mirror_both(
    "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 80}, percent: 1, fraction: {numerator: 1}}}]",
    "filters[0].requestMirror: percent and fraction exclude each other",
    "UnsupportedValue"
)]
#[case::mirror_share(
    "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 80}, fraction: {numerator: 2, denominator: 1}}}]",
    "filters[0].requestMirror: 2/1 is no share",
    "UnsupportedValue"
)]
#[case::mirror_percent(
    "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 80}, percent: 101}}]",
    "filters[0].requestMirror: 101/100 is no share",
    "UnsupportedValue"
)]
#[case::rewrite_kind(
    "filters: [{type: URLRewrite, urlRewrite: {path: {type: Trim}}}]",
    "filters[0].urlRewrite.path: \"Trim\" is neither ReplaceFullPath nor ReplacePrefixMatch",
    "UnsupportedValue"
)]
#[case::rewrite_mixed(
    "filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replacePrefixMatch: /}}}]",
    "filters[0].urlRewrite.path: replaceFullPath, and nothing else, belongs to ReplaceFullPath",
    "UnsupportedValue"
)]
#[case::rewrite_host(
    "filters: [{type: URLRewrite, urlRewrite: {hostname: '*.a'}}]",
    "filters[0].urlRewrite.hostname: \"*.a\" is not a host",
    "UnsupportedValue"
)]
#[case::prefix_of_exact(
    "matches: [{path: {type: Exact, value: /a}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]",
    "filters[0].urlRewrite.path: ReplacePrefixMatch needs a rule that matches by PathPrefix only",
    "UnsupportedValue"
)]
#[case::redirect_and_backends(
    "filters: [{type: RequestRedirect, requestRedirect: {}}]",
    "backendRefs: RequestRedirect and backendRefs exclude each other",
    "IncompatibleFilters"
)]
#[case::redirect_status(
    "filters: [{type: RequestRedirect, requestRedirect: {statusCode: 305}}]",
    "filters[0].requestRedirect.statusCode: 305 is no redirect; expected 301, 302, 303, 307 or 308",
    "UnsupportedValue"
)]
#[case::redirect_scheme(
    "filters: [{type: RequestRedirect, requestRedirect: {scheme: ftp}}]",
    "filters[0].requestRedirect.scheme: \"ftp\" is neither http nor https",
    "UnsupportedValue"
)]
#[case::header_name(
    "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: 'a b', value: c}]}}]",
    "filters[0].requestHeaderModifier.set[0].name: \"a b\" is not the name of a header",
    "UnsupportedValue"
)]
#[case::unknown_field("delay: 5s", "delay: is not a field that is known here", "UnsupportedValue")]
#[case::header_fixed(
    "filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {remove: [Upgrade]}}]",
    "filters[0].responseHeaderModifier: \"upgrade\" is no header that can be changed so",
    "UnsupportedValue"
)]
#[case::header_host(
    "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: Host, value: a}]}}]",
    "filters[0].requestHeaderModifier: \"host\" is no header that can be changed so",
    "UnsupportedValue"
)]
#[case::rewrite_path(
    "filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: 'a b'}}}]",
    "filters[0].urlRewrite.path: \"a b\" is not a path",
    "UnsupportedValue"
)]
fn rule_fails(#[case] parts: &str, #[case] expected: &str, #[case] reason: &str) {
    let world = of_rule(&format!("{{{parts}, {BACKEND}}}"));
    assert_eq!(action(&rules(&world, HOST, 80)[0]), "{action: DirectResponse({status: 500})}");
    let (problems, conditions) = status(&world);
    assert_eq!(problems, format!("spec.rules[0].{expected} (what matches the rule is answered with 500)"));
    assert!(conditions.starts_with(&format!("Accepted=False {reason}")), "{conditions}");
}

#[rstest]
#[case::weight("{name: web, port: 80, weight: 5}", "{weight: 5, target: Backend(web:80)}", GOOD)]
#[case::no_weight("{name: web, port: 80, weight: 0}", "{target: Backend(web:80)}", GOOD)]
#[case::core(
    "{group: core, kind: Service, name: web, port: 80}",
    "{weight: 1, target: Backend(web:80)}",
    GOOD
)]
#[case::hostname(
    "{group: networking.istio.io, kind: Hostname, name: api.back.svc.cluster.local, port: 8080}",
    "{weight: 1, target: Backend(api.back:8080)}",
    GOOD
)]
#[case::filter(
    "{name: web, port: 80, filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {remove: [a]}}]}",
    r#"{weight: 1, response_headers: {remove: ["a"]}, target: Backend(web:80)}"#,
    GOOD
)]
#[case::mirror(
    "{name: web, port: 80, filters: [{type: RequestMirror, requestMirror: {backendRef: {name: web, port: 81}}}]}",
    "{weight: 1, mirrors: [{backend: web:81, per_million: 1000000}], target: Backend(web:80)}",
    GOOD
)]
#[case::gone(
    "{name: gone, port: 80}",
    r#"{weight: 1, target: Unavailable({status: 500, reason: "there is no Service default/gone"})}"#,
    "Accepted=True Accepted, ResolvedRefs=False BackendNotFound"
)]
#[case::other_port(
    "{name: web, port: 99}",
    r#"{weight: 1, target: Unavailable({status: 500, reason: "web has no port 99; it has 80, 81"})}"#,
    "Accepted=True Accepted, ResolvedRefs=False BackendNotFound"
)]
#[case::kind("{group: a, kind: B, name: c}", r#"{weight: 1, target: Unavailable({status: 500, reason: "\"a/B\" cannot be a backend; a Service can"})}"#, "Accepted=True Accepted, ResolvedRefs=False InvalidKind")]
#[case::no_grant("{name: api, namespace: back, port: 8080}", r#"{weight: 1, target: Unavailable({status: 500, reason: "no ReferenceGrant in back permits the Service \"api\""})}"#, "Accepted=True Accepted, ResolvedRefs=False RefNotPermitted")]
#[case::no_port(
    "{name: web}",
    r#"{weight: 1, target: Unavailable({status: 500, reason: "is missing; a Service needs one"})}"#,
    PARTLY
)]
#[case::bad_filter("{name: web, port: 80, filters: [{type: CORS, cors: {}}]}", r#"{weight: 1, target: Unavailable({status: 500, reason: "spec.rules[0].backendRefs[0].filters cannot be done"})}"#, PARTLY)]
#[case::unreadable("web", r#"{weight: 1, target: Unavailable({status: 500, reason: "spec.rules[0].backendRefs[0] cannot be read"})}"#, PARTLY)]
fn backends(#[case] given: &str, #[case] expected: &str, #[case] conditions: &str) {
    let world = of_rule(&format!("{{backendRefs: [{given}, {{name: web, port: 81}}]}}"));
    let expected =
        format!("{{action: Forward({{backends: [{expected}, {{weight: 1, target: Backend(web:81)}}]}})}}");
    assert_eq!(action(&rules(&world, HOST, 80)[0]), expected);
    assert_eq!(status(&world).1, conditions);
}

#[rstest]
#[case::service("{group: '', kind: Service, name: web}", "80 81", GOOD)]
#[case::core("{group: core, kind: Service, name: web}", "80 81", GOOD)]
#[case::port("{group: '', kind: Service, name: web, port: 81}", "81", GOOD)]
#[case::section("{group: '', kind: Service, name: web, sectionName: http}", "80", GOOD)]
#[case::section_and_port("{group: '', kind: Service, name: web, sectionName: http, port: 80}", "80", GOOD)]
#[case::section_of_another_port(
    "{group: '', kind: Service, name: web, sectionName: http, port: 81}",
    "",
    "Accepted=False NoMatchingParent, ResolvedRefs=True ResolvedRefs"
)]
#[case::no_such_port(
    "{group: '', kind: Service, name: web, port: 82}",
    "",
    "Accepted=False NoMatchingParent, ResolvedRefs=True ResolvedRefs"
)]
#[case::no_such_service(
    "{group: '', kind: Service, name: gone}",
    "",
    "Accepted=False NoMatchingParent, ResolvedRefs=True ResolvedRefs"
)]
#[case::not_http(
    "{group: '', kind: Service, name: raw, port: 70}",
    "",
    "Accepted=False NoMatchingParent, ResolvedRefs=True ResolvedRefs"
)]
fn parents(#[case] parent: &str, #[case] ports: &str, #[case] conditions: &str) {
    let world = of_spec(&format!("{{parentRefs: [{parent}], rules: [{{{BACKEND}}}]}}"));
    let frontend = world.frontend(world.find(HOST)).form;
    let found = frontend.ports.iter().filter(|port| !port.http.is_empty()).map(|port| port.port.to_string());
    assert_eq!(found.collect::<Vec<_>>().join(" "), ports);
    assert_eq!(status(&world).1, conditions);
}

#[rstest]
#[case::foreign_gateway("{name: gateway}")]
#[case::other_group("{group: example.com, kind: Service, name: web}")]
#[case::unreadable("web")]
fn parents_of_others(#[case] parent: &str) {
    let world = of_spec(&format!("{{parentRefs: [{parent}], rules: [{{{BACKEND}}}]}}"));
    assert_eq!(world.routes[0].status(&[], &world, &world.mesh), []);
}

/// Of two matches, the one that is tried first.
#[rstest]
#[case::exact_before_prefix("{path: {type: Exact, value: /a}}", "{path: {value: /a}, method: GET}")]
#[case::exact_before_regex(
    "{path: {type: Exact, value: /a}}",
    "{path: {type: RegularExpression, value: '/a.*'}}"
)]
#[case::regex_before_prefix("{path: {type: RegularExpression, value: '/a'}}", "{path: {value: /longer}}")]
#[case::longer_prefix(
    "{path: {value: /ab}}",
    "{path: {value: /a}, method: GET, headers: [{name: a, value: b}]}"
)]
#[case::method("{method: GET}", "{headers: [{name: a, value: b}, {name: c, value: d}]}")]
#[case::more_headers(
    "{headers: [{name: a, value: b}, {name: c, value: d}]}",
    "{headers: [{name: a, value: b}], queryParams: [{name: a, value: b}, {name: b, value: b}]}"
)]
#[case::more_parameters(
    "{queryParams: [{name: a, value: b}, {name: c, value: d}]}",
    "{queryParams: [{name: a, value: b}]}"
)]
fn precedence(#[case] first: &str, #[case] second: &str) {
    for (a, b, winner) in [(first, second, "0"), (second, first, "1")] {
        let world = of_rule(&format!("{{matches: [{a}], {BACKEND}}}, {{matches: [{b}], {BACKEND}}}"));
        assert_eq!(rules(&world, HOST, 80)[0].name, format!("HTTPRoute/default/x/{winner}"));
    }
}
