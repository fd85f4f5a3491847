use http::{HeaderMap, Method};
use rstest::rstest;

use super::*;
use crate::route::PodLabels;

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
        Routed::Unknown => "unknown".into(),
    };
    assert_eq!(found, expected);
}

#[rstest]
#[case::known_and_matches(Some("cart"), true, "cart")]
#[case::known_and_does_not(Some("web"), true, "all")]
#[case::known_to_have_none(None, true, "all")]
// What is behind the first rule may be open to all but those.
#[case::not_known(None, false, "unknown")]
fn labels_that_nobody_knows_decide_nothing(
    #[case] app: Option<&str>,
    #[case] known: bool,
    #[case] expected: &str,
) {
    let labelled = |form: l7::Rule| {
        let source = l7::Source { labels: [("app".into(), "cart".into())].into(), ..Default::default() };
        l7::Rule { matches: vec![l7::Match { source: Some(source), ..Default::default() }], ..form }
    };
    let rules = vec![labelled(rule("cart")), rule("all")];
    let set = l7::RuleSet { source_namespace: String::new(), rules };
    let route = l7::ConnectionRoute {
        name: "tcp".into(),
        matches: vec![l7::ConnectionMatch {
            source: Some(l7::Source { labels: [("app".into(), "cart".into())].into(), ..Default::default() }),
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut form = port(80, vec![set]);
    form.tcp = vec![route, l7::ConnectionRoute { name: "rest".into(), ..Default::default() }];
    let frontend = frontend(vec![form, port(81, vec![self::set("", &["all"])])]).unwrap();
    let labels = PodLabels::default();
    if known {
        labels.set(app.map(|app| ("app".to_owned(), app.to_owned())).into_iter().collect());
    }
    let headers = HeaderMap::new();
    let (method, path) = (&Method::GET, "/");
    let head = RequestHead { method, scheme: "http", authority: "", path, query: None, headers: &headers };
    let source = SourceView { labels: &labels, ..SourceView::stranger([10, 0, 0, 1].into()) };
    let say = |routed: Routed<'_>| match routed {
        Routed::Rule(matched) => matched.rule.name.to_string(),
        Routed::Unknown => "unknown".into(),
        other => format!("{other:?}"),
    };
    let at = |number| frontend.port(number).unwrap();
    assert_eq!(say(at(80).route(&head, &source)), expected);
    assert_eq!(say(at(81).route(&head, &source)), "all", "nobody asks there");
    let refused = matches!(at(80).tcp_route([10, 0, 0, 2].into(), &source), ConnectionRouted::Refused);
    assert_eq!(refused, !known);
    assert!(at(80).asks_labels() && !at(81).asks_labels());
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
