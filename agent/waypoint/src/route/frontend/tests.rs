use http::{HeaderMap, Method};
use rstest::rstest;

use super::*;

fn rule(name: &str) -> l7::Rule {
    let direct = l7::DirectResponse { status: 200, body: Vec::new() };
    let action = Some(l7::rule::Action::DirectResponse(direct));
    l7::Rule { name: name.into(), action, ..Default::default() }
}

fn set(namespace: &str, rules: &[&str]) -> l7::RuleSet {
    let rules = rules.iter().map(|name| rule(name)).collect();
    l7::RuleSet { source_namespace: namespace.into(), rules }
}

fn port(port: u32, http: Vec<l7::RuleSet>) -> l7::FrontendPort {
    l7::FrontendPort { port, http, ..Default::default() }
}

fn frontend(ports: Vec<l7::FrontendPort>) -> Result<Frontend, Rejection> {
    Frontend::compile(&l7::Frontend { ports, ..Default::default() })
}

#[rstest]
#[case::no_sets(vec![], Some("a"), "own")]
#[case::for_all(vec![set("", &["all"])], Some("a"), "all")]
#[case::for_all_and_strangers(vec![set("", &["all"])], None, "all")]
#[case::consumer(vec![set("a", &["a"]), set("", &["all"])], Some("a"), "a")]
#[case::other_consumer(vec![set("a", &["a"]), set("", &["all"])], Some("b"), "all")]
#[case::first_set_decides(vec![set("", &["all"]), set("a", &["a"])], Some("a"), "all")]
#[case::first_set_decides_alone(vec![set("a", &[]), set("", &["all"])], Some("a"), "none")]
#[case::two_of_one_namespace(vec![set("a", &["first"]), set("a", &["second"])], Some("a"), "first")]
#[case::only_others(vec![set("a", &["a"])], Some("b"), "own")]
#[case::stranger(vec![set("a", &["a"])], None, "own")]
fn the_first_set_decides(
    #[case] sets: Vec<l7::RuleSet>,
    #[case] namespace: Option<&str>,
    #[case] expected: &str,
) {
    let frontend = frontend(vec![port(80, sets)]).unwrap();
    let headers = HeaderMap::new();
    let (method, path) = (&Method::GET, "/");
    let head = RequestHead { method, scheme: "http", authority: "", path, query: None, headers: &headers };
    let source = SourceView { namespace, ..SourceView::stranger([10, 0, 0, 1].into()) };
    let found = match frontend.port(80).unwrap().route(&head, &source) {
        Routed::Rule(matched) => matched.rule.name.to_string(),
        Routed::Own => "own".into(),
        Routed::NotFound => "none".into(),
    };
    assert_eq!(found, expected);
}

#[test]
fn ports_are_apart() {
    let frontend = frontend(vec![port(80, vec![]), port(81, vec![])]).unwrap();
    assert_eq!(frontend.port(81).unwrap().number(), 81);
    assert!(frontend.port(82).is_none());
}

#[rstest]
#[case::no_port(vec![port(0, vec![])], "ports[0].port")]
#[case::twice(vec![port(80, vec![]), port(80, vec![])], "ports[1].port")]
#[case::protocol(vec![l7::FrontendPort { protocol: 99, ..port(80, vec![]) }], "ports[0].protocol")]
#[case::rule(
    vec![port(80, vec![set("", &[]), l7::RuleSet { rules: vec![l7::Rule::default()], ..Default::default() }])],
    "ports[0].http[1].rules[0].action"
)]
fn is_refused(#[case] ports: Vec<l7::FrontendPort>, #[case] path: &str) {
    assert_eq!(frontend(ports).unwrap_err().path, path);
}
