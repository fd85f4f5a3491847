//! Rules of GRPCRoutes.

use rstest::rstest;

use super::{action, rules, told, world};
use crate::text::line;
use crate::world::World;

const BACKEND: &str = "backendRefs: [{name: grpc, port: 9000}]";
const HOST: &str = "grpc.default.svc.cluster.local";

fn of_rule(rule: &str) -> World {
    world(&format!(
        "{{kind: GRPCRoute, metadata: {{}}, spec: {{parentRefs: [{{group: '', kind: Service, name: grpc}}], rules: [{rule}]}}}}"
    ))
}

fn problems_of(world: &World) -> String {
    told(world.routes[0].status(&[], world, &world.mesh)[0].problems.iter())
}

#[rstest]
#[case::nothing("{}", "[{}]")]
#[case::method("{method: {service: a.B, method: C}}", r#"[{path: {kind: Exact("/a.B/C")}}]"#)]
#[case::typed("{method: {type: Exact, service: a.B, method: C}}", r#"[{path: {kind: Exact("/a.B/C")}}]"#)]
#[case::service("{method: {service: a.B}}", r#"[{path: {kind: Prefix("/a.B/")}}]"#)]
#[case::any_service("{method: {method: C}}", r#"[{path: {kind: Regex("/[^/]+/C")}}]"#)]
#[case::empty("{method: {service: '', method: ''}}", "[{}]")]
#[case::regex(
    "{method: {type: RegularExpression, service: 'a.*', method: 'C|D'}}",
    r#"[{path: {kind: Regex("/(?:a.*)/(?:C|D)")}}]"#
)]
#[case::regex_of_service(
    "{method: {type: RegularExpression, service: 'a.*'}}",
    r#"[{path: {kind: Regex("/(?:a.*)/[^/]+")}}]"#
)]
#[case::header(
    "{headers: [{name: A, value: b}]}",
    r#"[{headers: [{name: "a", value: {kind: Exact("b")}}]}]"#
)]
fn matches(#[case] given: &str, #[case] expected: &str) {
    let world = of_rule(&format!("{{matches: [{given}], {BACKEND}}}"));
    assert_eq!(line(&rules(&world, HOST, 9000)[0].matches), expected);
    assert_eq!(problems_of(&world), "");
}

#[rstest]
#[case::slash("{method: {service: a/B}}", "method.service: \"a/B\" is no name of gRPC")]
#[case::kind(
    "{method: {type: Prefix, service: a}}",
    "method.type: \"Prefix\" is neither Exact nor RegularExpression"
)]
#[case::regex(
    "{method: {type: RegularExpression, method: '('}}",
    "method.method: is no regular expression of RE2: unclosed group"
)]
#[case::path("{path: {value: /}}", "path: unknown field `path`, expected `method` or `headers`")]
fn bad_matches(#[case] given: &str, #[case] expected: &str) {
    let world = of_rule(&format!("{{matches: [{given}], {BACKEND}}}"));
    assert_eq!(rules(&world, HOST, 9000), []);
    assert_eq!(problems_of(&world), format!("spec.rules[0].matches[0].{expected} (the rule is left out)"));
}

#[rstest]
#[case::redirect(
    "filters: [{type: RequestRedirect, requestRedirect: {}}]",
    "filters[0].type: \"RequestRedirect\" is no filter of a rule of GRPCRoutes"
)]
#[case::cors(
    "filters: [{type: CORS, cors: {}}]",
    "filters[0].type: \"CORS\" is no filter of a rule of GRPCRoutes"
)]
#[case::timeouts("timeouts: {request: 1s}", "timeouts: is not a field that is known here")]
fn rule_fails(#[case] parts: &str, #[case] expected: &str) {
    let world = of_rule(&format!("{{{parts}, {BACKEND}}}"));
    assert_eq!(action(&rules(&world, HOST, 9000)[0]), "{action: DirectResponse({status: 503})}");
    assert_eq!(
        problems_of(&world),
        format!("spec.rules[0].{expected} (what matches the rule is answered with 503)")
    );
}

/// Of two matches, the one that is tried first.
#[rstest]
#[case::longer_service("{method: {service: long.Name}}", "{method: {service: a.B, method: Method}}")]
#[case::longer_method("{method: {service: a.B, method: Longer}}", "{method: {service: a.B, method: C}}")]
#[case::method_before_none("{method: {service: a.B, method: C}}", "{method: {service: a.B}}")]
#[case::headers("{headers: [{name: a, value: b}]}", "{}")]
fn precedence(#[case] first: &str, #[case] second: &str) {
    for (a, b, winner) in [(first, second, "0"), (second, first, "1")] {
        let world = of_rule(&format!("{{matches: [{a}], {BACKEND}}}, {{matches: [{b}], {BACKEND}}}"));
        assert_eq!(rules(&world, HOST, 9000)[0].name, format!("GRPCRoute/default/x/{winner}"));
    }
}
