//! Match blocks.

use rstest::rstest;

use super::super::rules;
use super::of_rule;
use crate::text::line;

#[rstest]
#[case::nothing("{}", "[{}]")]
#[case::exact("{uri: {exact: /a}}", r#"[{path: {kind: Exact("/a")}}]"#)]
#[case::prefix("{uri: {prefix: /a}}", r#"[{path: {kind: Prefix("/a")}}]"#)]
#[case::regex("{uri: {regex: '/[a-c]+'}}", r#"[{path: {kind: Regex("/[a-c]+")}}]"#)]
#[case::empty_prefix("{uri: {prefix: ''}}", "[{}]")]
#[case::empty_uri("{uri: {}}", "[{}]")]
#[case::null_uri("{uri: null}", "[{}]")]
#[case::any_uri("{uri: {regex: '*'}}", "[{}]")]
#[case::case_of_exact(
    "{uri: {exact: /a}, ignoreUriCase: true}",
    r#"[{path: {ignore_case: true, kind: Exact("/a")}}]"#
)]
#[case::case_of_prefix(
    "{uri: {prefix: /a}, ignoreUriCase: true}",
    r#"[{path: {ignore_case: true, kind: Prefix("/a")}}]"#
)]
#[case::case_of_regex("{uri: {regex: /a}, ignoreUriCase: true}", r#"[{path: {kind: Regex("/a")}}]"#)]
#[case::case_by_protobuf(
    "{uri: {exact: /a}, ignore_uri_case: true}",
    r#"[{path: {ignore_case: true, kind: Exact("/a")}}]"#
)]
#[case::scheme("{scheme: {exact: https}}", r#"[{scheme: {kind: Exact("https")}}]"#)]
#[case::method("{method: {exact: POST}}", r#"[{method: {kind: Exact("POST")}}]"#)]
#[case::methods("{method: {regex: 'POST|PUT'}}", r#"[{method: {kind: Regex("POST|PUT")}}]"#)]
#[case::authority("{authority: {prefix: web}}", r#"[{authority: {kind: Prefix("web")}}]"#)]
#[case::any_authority("{authority: {}}", "[{}]")]
#[case::header("{headers: {a: {exact: b}}}", r#"[{headers: [{name: "a", value: {kind: Exact("b")}}]}]"#)]
#[case::header_in_capitals(
    "{headers: {End-User: {exact: b}}}",
    r#"[{headers: [{name: "end-user", value: {kind: Exact("b")}}]}]"#
)]
#[case::header_prefix(
    "{headers: {a: {prefix: b}}}",
    r#"[{headers: [{name: "a", value: {kind: Prefix("b")}}]}]"#
)]
#[case::header_regex(
    "{headers: {a: {regex: b+}}}",
    r#"[{headers: [{name: "a", value: {kind: Regex("b+")}}]}]"#
)]
#[case::header_there("{headers: {a: {}}}", r#"[{headers: [{name: "a", value: {kind: Present(true)}}]}]"#)]
#[case::header_empty(
    "{headers: {a: {exact: ''}}}",
    r#"[{headers: [{name: "a", value: {kind: Present(true)}}]}]"#
)]
#[case::header_any(
    "{headers: {a: {regex: '*'}}}",
    r#"[{headers: [{name: "a", value: {kind: Present(true)}}]}]"#
)]
#[case::without(
    "{withoutHeaders: {a: {exact: b}}}",
    r#"[{headers: [{name: "a", value: {kind: Exact("b")}, invert: true}]}]"#
)]
#[case::without_any(
    "{withoutHeaders: {a: {}}}",
    r#"[{headers: [{name: "a", value: {kind: Present(true)}, invert: true}]}]"#
)]
#[case::without_by_protobuf(
    "{without_headers: {a: {}}}",
    r#"[{headers: [{name: "a", value: {kind: Present(true)}, invert: true}]}]"#
)]
#[case::pseudo_method("{headers: {':method': {exact: PUT}}}", r#"[{method: {kind: Exact("PUT")}}]"#)]
#[case::pseudo_authority("{headers: {':authority': {exact: a}}}", r#"[{authority: {kind: Exact("a")}}]"#)]
#[case::pseudo_scheme("{headers: {':scheme': {exact: a}}}", r#"[{scheme: {kind: Exact("a")}}]"#)]
#[case::passed_over("{headers: {uri: {exact: a}}}", "[{}]")]
#[case::query("{queryParams: {q: {exact: a}}}", r#"[{query: [{name: "q", value: {kind: Exact("a")}}]}]"#)]
#[case::query_keeps_capitals(
    "{queryParams: {Q: {prefix: a}}}",
    r#"[{query: [{name: "Q", value: {kind: Prefix("a")}}]}]"#
)]
#[case::query_regex(
    "{queryParams: {q: {regex: a+}}}",
    r#"[{query: [{name: "q", value: {kind: Regex("a+")}}]}]"#
)]
#[case::query_bare(
    "{queryParams: {q: {exact: ''}}}",
    r#"[{query: [{name: "q", value: {kind: Exact("")}}]}]"#
)]
#[case::query_there("{queryParams: {q: {}}}", r#"[{query: [{name: "q", value: {kind: Present(true)}}]}]"#)]
#[case::query_by_protobuf(
    "{query_params: {q: {}}}",
    r#"[{query: [{name: "q", value: {kind: Present(true)}}]}]"#
)]
#[case::named("{name: x, uri: {exact: /}}", r#"[{name: "x", path: {kind: Exact("/")}}]"#)]
#[case::own_port("{port: 80}", "[{}]")]
#[case::mesh("{gateways: [mesh]}", "[{}]")]
#[case::two(
    "{uri: {exact: /a}}, {uri: {exact: /b}}",
    r#"[{path: {kind: Exact("/a")}}, {path: {kind: Exact("/b")}}]"#
)]
#[case::two_of_which_one_is_for_another_port(
    "{uri: {exact: /a}, port: 81}, {uri: {exact: /b}}",
    r#"[{path: {kind: Exact("/b")}}]"#
)]
#[case::two_of_which_one_is_for_a_gateway(
    "{uri: {exact: /a}, gateways: [g]}, {uri: {exact: /b}}",
    r#"[{path: {kind: Exact("/b")}}]"#
)]
fn forms(#[case] blocks: &str, #[case] expected: &str) {
    let world = of_rule(&format!("{{match: [{blocks}], route: [{{destination: {{host: web}}}}]}}"));
    let rules = rules(&world, "web.default.svc.cluster.local", 80);
    assert_eq!(line(&rules[0].matches), expected);
}

#[rstest]
#[case::labels("{sourceLabels: {app: a}}", r#"[{source: {labels: {"app": "a"}}}]"#)]
#[case::labels_by_protobuf("{source_labels: {app: a}}", r#"[{source: {labels: {"app": "a"}}}]"#)]
#[case::namespace("{sourceNamespace: a}", r#"[{source: {namespace: "a", labels: {}}}]"#)]
fn sources(#[case] block: &str, #[case] expected: &str) {
    let world = of_rule(&format!("{{match: [{block}], route: [{{destination: {{host: web}}}}]}}"));
    let rules = rules(&world, "web.default.svc.cluster.local", 80);
    assert_eq!(line(&rules[0].matches), expected);
    // Clients of whom nothing is said have the service itself.
    let last = rules.last().unwrap();
    assert_eq!((last.name.as_str(), rules.len()), ("clients without rules", 3));
}

/// The rule is not there, and nothing is said of it: it is for others.
#[rstest]
#[case::port("{port: 81}")]
#[case::gateway("{gateways: [g]}")]
#[case::both("{port: 81}, {gateways: [g]}")]
fn for_others(#[case] blocks: &str) {
    let world = of_rule(&format!("{{match: [{blocks}], route: [{{destination: {{host: web}}}}]}}"));
    assert_eq!(rules(&world, "web.default.svc.cluster.local", 80), []);
    let service = &world.virtual_services[0];
    assert!(service.problems(&[], &world, &world.mesh).is_empty());
}
