use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn route(name: &str, matches: Vec<l7::ConnectionMatch>) -> l7::ConnectionRoute {
    l7::ConnectionRoute { name: name.into(), matches, ..Default::default() }
}

fn by_host(hosts: &[&str]) -> l7::ConnectionMatch {
    l7::ConnectionMatch { sni_hosts: hosts.iter().map(ToString::to_string).collect(), ..Default::default() }
}

fn by_subnet(subnets: &[&str]) -> l7::ConnectionMatch {
    let destination_subnets = subnets.iter().map(ToString::to_string).collect();
    l7::ConnectionMatch { destination_subnets, ..Default::default() }
}

fn by_namespace(namespace: &str) -> l7::ConnectionMatch {
    let source = Some(l7::Source { namespace: namespace.into(), ..Default::default() });
    l7::ConnectionMatch { source, ..Default::default() }
}

fn found(routes: &[l7::ConnectionRoute], sni: Option<&str>, destination: &str, namespace: &str) -> String {
    let table = ConnectionTable::compile(routes).unwrap();
    let stranger = SourceView::stranger([10, 0, 0, 1].into());
    let source = SourceView { namespace: Some(namespace), ..stranger };
    match table.find(sni, destination.parse().unwrap(), &source) {
        ConnectionRouted::Route(route) => route.name.to_string(),
        ConnectionRouted::Own => "own".into(),
        ConnectionRouted::Refused => "refused".into(),
    }
}

#[rstest]
#[case::exact(&["a.b"], Some("a.b"), "route")]
#[case::case_and_root(&["A.b."], Some("a.B"), "route")]
#[case::root_in_the_hello(&["a.b"], Some("a.b."), "route")]
#[case::other(&["a.b"], Some("c.b"), "refused")]
#[case::one_of_several(&["a.b", "c.b"], Some("c.b"), "route")]
#[case::wildcard(&["*.b"], Some("a.b"), "route")]
#[case::wildcard_of_several_labels(&["*.b"], Some("c.a.b"), "route")]
#[case::wildcard_is_not_the_domain(&["*.b"], Some("b"), "refused")]
#[case::wildcard_heeds_labels(&["*.b"], Some("a.xb"), "refused")]
#[case::everything(&["*"], Some("a.b"), "route")]
#[case::any(&[], Some("a.b"), "route")]
#[case::any_without_name(&[], None, "route")]
#[case::no_name(&["a.b"], None, "refused")]
#[case::no_name_for_a_wildcard(&["*.b"], None, "refused")]
fn names(#[case] hosts: &[&str], #[case] sni: Option<&str>, #[case] expected: &str) {
    assert_eq!(found(&[route("route", vec![by_host(hosts)])], sni, "10.0.0.2", "ns"), expected);
}

#[rstest]
#[case::inside(&["10.0.0.0/8"], "10.1.2.3", "route")]
#[case::outside(&["10.0.0.0/8"], "11.1.2.3", "refused")]
#[case::address(&["10.1.2.3"], "10.1.2.3", "route")]
#[case::mapped(&["10.0.0.0/8"], "::ffff:10.1.2.3", "route")]
#[case::ipv6(&["fd00::/8"], "fd00::1", "route")]
#[case::other_family(&["0.0.0.0/0"], "fd00::1", "refused")]
#[case::one_of_several(&["11.0.0.0/8", "10.0.0.0/8"], "10.1.2.3", "route")]
fn addresses(#[case] subnets: &[&str], #[case] destination: &str, #[case] expected: &str) {
    assert_eq!(found(&[route("route", vec![by_subnet(subnets)])], None, destination, "ns"), expected);
}

#[rstest]
#[case::none(vec![], "own")]
#[case::everything(vec![route("a", vec![])], "a")]
#[case::first_wins(vec![route("a", vec![by_host(&["*.b"])]), route("b", vec![by_host(&["a.b"])])], "a")]
#[case::first_wins_reversed(vec![route("a", vec![by_host(&["a.b"])]), route("b", vec![by_host(&["*.b"])])], "a")]
#[case::any_comes_later(vec![route("a", vec![by_host(&["a.b"])]), route("b", vec![])], "a")]
#[case::any_comes_first(vec![route("a", vec![]), route("b", vec![by_host(&["a.b"])])], "a")]
#[case::source(vec![route("a", vec![by_namespace("x")]), route("b", vec![by_namespace("ns")])], "b")]
#[case::one_match_is_enough(vec![route("a", vec![by_namespace("x"), by_host(&["a.b"])])], "a")]
fn order(#[case] routes: Vec<l7::ConnectionRoute>, #[case] expected: &str) {
    assert_eq!(found(&routes, Some("a.b"), "10.0.0.2", "ns"), expected);
}

#[test]
fn no_cidr_is_refused() {
    let error = ConnectionTable::compile(&[route("a", vec![by_subnet(&["10.0.0.0/8", "10.0.0.0/33"])])]);
    assert_eq!(error.unwrap_err().path, "[0].matches[0].destination_subnets[1]");
}

proptest! {
    #[test]
    fn the_first_match_wins_as_in_a_scan(
        hosts in prop::collection::vec(prop::collection::vec("([*]|[ab])([.][ab]){0,2}", 0..3), 1..8),
        sni in prop::option::of("[ab]([.][ab]){0,2}"),
    ) {
        let named = |(n, hosts): (usize, &Vec<String>)| {
            let sni_hosts = hosts.clone();
            route(&n.to_string(), vec![l7::ConnectionMatch { sni_hosts, ..Default::default() }])
        };
        let routes: Vec<_> = hosts.iter().enumerate().map(named).collect();
        let holds = |hosts: &Vec<String>| {
            let host = |host: &String| match (&sni, host.strip_prefix('*')) {
                (_, Some("")) => true,
                (Some(sni), Some(suffix)) => sni.ends_with(suffix),
                (Some(sni), None) => sni == host,
                (None, _) => false,
            };
            hosts.is_empty() || hosts.iter().any(host)
        };
        let expected = hosts.iter().position(holds).map_or("refused".to_owned(), |n| n.to_string());
        prop_assert_eq!(found(&routes, sni.as_deref(), "10.0.0.2", "ns"), expected);
    }
}
