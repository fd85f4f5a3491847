mod naive;

use http::{HeaderMap, HeaderName, Method};
use l7::{path_match::Kind as Path, string_match::Kind as Text};
use proptest::prelude::*;

use super::*;

/// A rule that answers with nothing but its matches.
fn rule(matches: Vec<l7::Match>) -> l7::Rule {
    let direct = l7::DirectResponse { status: 200, body: Vec::new() };
    l7::Rule { matches, action: Some(l7::rule::Action::DirectResponse(direct)), ..Default::default() }
}

/// Texts over a tiny alphabet, so that they match and overlap often.
fn word() -> impl Strategy<Value = String> {
    "[aAb]{0,2}"
}

fn text_match() -> impl Strategy<Value = l7::StringMatch> {
    let kind = prop_oneof![
        5 => word().prop_map(Text::Exact),
        1 => word().prop_map(Text::Prefix),
        1 => word().prop_map(Text::Suffix),
        1 => r"(a|b|\[ab\]|a[*]|[.])".prop_map(Text::Regex),
        1 => Just(Text::Present(true)),
    ];
    (kind, any::<bool>()).prop_map(|(kind, ignore_case)| l7::StringMatch { kind: Some(kind), ignore_case })
}

fn path_match() -> impl Strategy<Value = l7::PathMatch> {
    let path = "(/[aAb]{0,2}){0,3}";
    let kind = prop_oneof![
        path.prop_map(Path::Exact),
        path.prop_map(Path::Prefix),
        path.prop_map(Path::Segments),
        r"(/a/\?|/a|/)([.][*]|b[?]|\(a\|b\)|\[ab/\][*])(x|b)?".prop_map(Path::Regex),
    ];
    (kind, any::<bool>()).prop_map(|(kind, ignore_case)| l7::PathMatch { kind: Some(kind), ignore_case })
}

fn some<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.2, strategy)
}

fn one_match() -> impl Strategy<Value = l7::Match> {
    let header = ("[xy]", text_match(), prop::bool::weighted(0.2));
    let header =
        header.prop_map(|(name, value, invert)| l7::HeaderMatch { name, value: Some(value), invert });
    let query = ("[pq]", text_match());
    let query = query.prop_map(|(name, value)| l7::QueryMatch { name, value: Some(value) });
    let source = (word(), prop::collection::btree_map("l", word(), 0..2));
    let source = source.prop_map(|(namespace, labels)| l7::Source { namespace, labels });
    (
        prop::option::weighted(0.8, path_match()),
        some(text_match()),
        some(text_match()),
        prop::collection::vec(header, 0..2),
        prop::collection::vec(query, 0..2),
        some(source),
    )
        .prop_map(|(path, method, authority, headers, query, source)| l7::Match {
            path,
            method,
            authority,
            headers,
            query,
            source,
            ..Default::default()
        })
}

fn rules() -> impl Strategy<Value = Vec<l7::Rule>> {
    let matches = prop_oneof![
        20 => prop::collection::vec(one_match(), 1..4),
        1 => Just(Vec::new()),
    ];
    prop::collection::vec(matches.prop_map(rule), 0..30)
}

prop_compose! {
    fn request()(
        method in "[ab]",
        authority in word(),
        path in "(/[aAb]{0,2}){1,3}",
        query in prop::option::of("([pq]=?(a|b|%61)?&?){0,3}"),
        headers in prop::collection::vec(("[xy]", word()), 0..4),
        namespace in prop::option::of(word()),
        labels in prop::collection::btree_map("l", word(), 0..2),
    ) -> naive::Request {
        naive::Request { method, authority, path, query, headers, namespace, labels }
    }
}

fn found(table: &Table, request: &naive::Request) -> Option<usize> {
    let headers: HeaderMap = {
        let fields = request.headers.iter();
        fields.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    };
    let head = RequestHead {
        method: &Method::from_bytes(request.method.as_bytes()).unwrap(),
        scheme: "http",
        authority: &request.authority,
        path: &request.path,
        query: request.query.as_deref(),
        headers: &headers,
    };
    let stranger = SourceView::stranger([10, 0, 0, 1].into());
    let namespace = request.namespace.as_deref();
    let source = SourceView { namespace, labels: &request.labels, ..stranger };
    let rule = table.find(&head, &source)?.rule;
    table.rules.iter().position(|known| Arc::ptr_eq(known, rule))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn the_first_match_wins_as_in_a_scan(
        rules in rules(),
        requests in prop::collection::vec(request(), 1..20),
    ) {
        let table = Table::compile(&rules).unwrap();
        for request in requests {
            prop_assert_eq!(found(&table, &request), naive::first(&rules, &request), "{:?}", request);
        }
    }
}

#[test]
fn an_error_says_where_it_is() {
    let empty = l7::Match { path: Some(l7::PathMatch::default()), ..Default::default() };
    let rules = [rule(vec![]), rule(vec![l7::Match::default(), empty])];
    assert_eq!(Table::compile(&rules).unwrap_err().path, "rules[1].matches[1].path");
    assert_eq!(Table::compile(&[l7::Rule::default()]).unwrap_err().path, "rules[0].action");
}

#[test]
fn says_which_match_it_was() {
    let named = |name: &str, prefix: &str| {
        let kind = Some(Path::Prefix(prefix.into()));
        let path = Some(l7::PathMatch { kind, ignore_case: false });
        l7::Match { name: name.into(), path, ..Default::default() }
    };
    let table = Table::compile(&[rule(vec![named("one", "/a"), named("two", "/b")])]).unwrap();
    let headers = HeaderMap::new();
    let path = "/bc";
    let (method, scheme) = (&Method::GET, "http");
    let head = RequestHead { method, scheme, authority: "", path, query: None, headers: &headers };
    let matched = table.find(&head, &SourceView::stranger([10, 0, 0, 1].into())).unwrap();
    assert_eq!((matched.name, matched.path), ("two", PathMatched::Prefix(2)));
}
