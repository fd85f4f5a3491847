//! Verdicts, case by case. A policy is one rule of one part unless a case says more.

use http::{HeaderMap, HeaderValue, Method};
use l7::condition::Attribute as On;
use l7::string_match::Kind;
use rstest::rstest;

use super::*;

const CLIENT: &str = "spiffe://cluster.local/ns/shop/sa/web";

/// A GET of `/v1/items?x=1` at `db.shop:8080`, sent by [`CLIENT`] at 10.0.0.9 to 10.96.0.1:80.
struct Asked {
    identity: Option<&'static str>,
    path: &'static str,
    authority: &'static str,
    method: Method,
    headers: HeaderMap,
    sni: Option<&'static str>,
    is_request: bool,
}

impl Default for Asked {
    fn default() -> Self {
        let mut headers = HeaderMap::new();
        headers.append("x-team", HeaderValue::from_static("blue"));
        headers.append("x-team", HeaderValue::from_static("red"));
        headers.append("x-empty", HeaderValue::from_static(""));
        Self {
            identity: Some(CLIENT),
            path: "/v1/items",
            authority: "db.shop:8080",
            method: Method::GET,
            headers,
            sni: None,
            is_request: true,
        }
    }
}

impl Asked {
    fn of<T>(&self, ask: impl FnOnce(&Visit<'_>) -> T) -> T {
        let request = RequestHead {
            method: &self.method,
            scheme: "http",
            authority: self.authority,
            path: self.path,
            query: Some("x=1"),
            headers: &self.headers,
        };
        ask(&Visit {
            identity: self.identity,
            source: "10.0.0.9".parse().unwrap(),
            destination: "10.96.0.1:80".parse().unwrap(),
            server_name: self.sni,
            request: self.is_request.then_some(&request),
        })
    }
}

fn exact(text: &str) -> l7::StringMatch {
    l7::StringMatch { kind: Some(Kind::Exact(text.into())), ignore_case: false }
}

fn prefix(text: &str) -> l7::StringMatch {
    l7::StringMatch { kind: Some(Kind::Prefix(text.into())), ignore_case: false }
}

fn present() -> l7::StringMatch {
    l7::StringMatch { kind: Some(Kind::Present(true)), ignore_case: false }
}

fn path(text: &str) -> l7::AuthorizationPath {
    let kind = match text.contains('{') {
        true => l7::authorization_path::Kind::Template(text.into()),
        false => l7::authorization_path::Kind::Text(exact(text)),
    };
    l7::AuthorizationPath { kind: Some(kind) }
}

fn from(peer: l7::Peer) -> l7::AuthorizationRule {
    l7::AuthorizationRule { from: vec![peer], ..Default::default() }
}

fn to(operation: l7::Operation) -> l7::AuthorizationRule {
    l7::AuthorizationRule { to: vec![operation], ..Default::default() }
}

fn when(condition: l7::Condition) -> l7::AuthorizationRule {
    l7::AuthorizationRule { when: vec![condition], ..Default::default() }
}

fn known(attribute: l7::Attribute) -> Option<On> {
    Some(On::Known(attribute as i32))
}

fn header(name: &str) -> Option<On> {
    Some(On::Header(name.into()))
}

fn policy(name: &str, action: l7::Action, rules: Vec<l7::AuthorizationRule>) -> l7::Authorization {
    l7::Authorization {
        namespace: "shop".into(),
        name: name.into(),
        action: action as i32,
        rules,
        dry_run: false,
    }
}

fn compiled(forms: &[l7::Authorization]) -> Policies {
    Policies::compile(forms).unwrap()
}

fn texts(any: &[&str]) -> Vec<l7::StringMatch> {
    any.iter().map(|text| exact(text)).collect()
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).into()).collect()
}

#[rstest]
#[case::anybody(l7::AuthorizationRule::default(), true)]
#[case::principal(from(l7::Peer { principals: texts(&["cluster.local/ns/shop/sa/web"]), ..Default::default() }), true)]
#[case::another_principal(from(l7::Peer { principals: texts(&["cluster.local/ns/shop/sa/db"]), ..Default::default() }), false)]
#[case::with_scheme_is_no_principal(from(l7::Peer { principals: texts(&[CLIENT]), ..Default::default() }), false)]
#[case::not_the_principal(from(l7::Peer { not_principals: texts(&["cluster.local/ns/shop/sa/web"]), ..Default::default() }), false)]
#[case::one_of_two(from(l7::Peer { principals: texts(&["a", "cluster.local/ns/shop/sa/web"]), ..Default::default() }), true)]
#[case::any_principal(from(l7::Peer { principals: vec![present()], ..Default::default() }), true)]
#[case::namespace(from(l7::Peer { namespaces: texts(&["shop"]), ..Default::default() }), true)]
#[case::part_of_the_namespace(from(l7::Peer { namespaces: texts(&["sho"]), ..Default::default() }), false)]
#[case::not_the_namespace(from(l7::Peer { not_namespaces: texts(&["shop"]), ..Default::default() }), false)]
#[case::block(from(l7::Peer { ip_blocks: words(&["10.0.0.0/24"]), ..Default::default() }), true)]
#[case::mapped_block(from(l7::Peer { ip_blocks: words(&["::ffff:10.0.0.0/120"]), ..Default::default() }), true)]
#[case::address(from(l7::Peer { ip_blocks: words(&["10.0.0.9"]), ..Default::default() }), true)]
#[case::another_address(from(l7::Peer { ip_blocks: words(&["10.0.0.8"]), ..Default::default() }), false)]
#[case::not_the_block(from(l7::Peer { not_ip_blocks: words(&["10.0.0.0/8"]), ..Default::default() }), false)]
#[case::remote_block(from(l7::Peer { remote_ip_blocks: words(&["10.0.0.0/8"]), ..Default::default() }), true)]
#[case::all_fields_of_a_peer(from(l7::Peer { namespaces: texts(&["shop"]), ip_blocks: words(&["192.0.2.1"]), ..Default::default() }), false)]
#[case::host_as_written(to(l7::Operation { hosts: texts(&["db.shop:8080"]), ..Default::default() }), true)]
#[case::host_without_port(to(l7::Operation { hosts: texts(&["db.shop"]), ..Default::default() }), true)]
#[case::host_of_another_case(to(l7::Operation { hosts: texts(&["DB.Shop"]), ..Default::default() }), true)]
#[case::not_the_host(to(l7::Operation { not_hosts: texts(&["db.shop"]), ..Default::default() }), false)]
#[case::port_as_dialled(to(l7::Operation { ports: vec![80], ..Default::default() }), true)]
#[case::port_as_the_host_header_says(to(l7::Operation { ports: vec![8080], ..Default::default() }), false)]
#[case::not_the_port(to(l7::Operation { not_ports: vec![80], ..Default::default() }), false)]
#[case::method(to(l7::Operation { methods: texts(&["GET"]), ..Default::default() }), true)]
#[case::method_has_a_case(to(l7::Operation { methods: texts(&["get"]), ..Default::default() }), false)]
#[case::not_the_method(to(l7::Operation { not_methods: texts(&["GET"]), ..Default::default() }), false)]
#[case::path_without_query(to(l7::Operation { paths: vec![path("/v1/items")], ..Default::default() }), true)]
#[case::path_with_query(to(l7::Operation { paths: vec![path("/v1/items?x=1")], ..Default::default() }), false)]
#[case::template(to(l7::Operation { paths: vec![path("/{*}/items")], ..Default::default() }), true)]
#[case::not_the_template(to(l7::Operation { not_paths: vec![path("/v1/{**}")], ..Default::default() }), false)]
#[case::all_fields_of_an_operation(to(l7::Operation { methods: texts(&["GET"]), paths: vec![path("/")], ..Default::default() }), false)]
#[case::header_of_two_fields(when(l7::Condition { attribute: header("x-team"), values: texts(&["blue,red"]), ..Default::default() }), true)]
#[case::header_part(when(l7::Condition { attribute: header("x-team"), values: vec![prefix("blue")], ..Default::default() }), true)]
#[case::header_empty_is_there(when(l7::Condition { attribute: header("x-empty"), values: vec![present()], ..Default::default() }), true)]
#[case::header_absent(when(l7::Condition { attribute: header("x-none"), values: vec![present()], ..Default::default() }), false)]
#[case::header_absent_is_not_it(when(l7::Condition { attribute: header("x-none"), not_values: texts(&["a"]), ..Default::default() }), true)]
#[case::source_ip(when(l7::Condition { attribute: known(l7::Attribute::SourceIp), ip_blocks: words(&["10.0.0.9/32"]), ..Default::default() }), true)]
#[case::not_source_ip(when(l7::Condition { attribute: known(l7::Attribute::SourceIp), not_ip_blocks: words(&["10.0.0.9"]), ..Default::default() }), false)]
#[case::destination_ip(when(l7::Condition { attribute: known(l7::Attribute::DestinationIp), ip_blocks: words(&["10.96.0.0/16"]), ..Default::default() }), true)]
#[case::destination_port(when(l7::Condition { attribute: known(l7::Attribute::DestinationPort), values: texts(&["80"]), ..Default::default() }), true)]
#[case::source_namespace(when(l7::Condition { attribute: known(l7::Attribute::SourceNamespace), values: texts(&["shop"]), ..Default::default() }), true)]
#[case::source_principal(when(l7::Condition { attribute: known(l7::Attribute::SourcePrincipal), not_values: vec![prefix("cluster.local/")], ..Default::default() }), false)]
#[case::trust_domain(when(l7::Condition { attribute: known(l7::Attribute::SourceTrustDomain), values: texts(&["cluster.local"]), ..Default::default() }), true)]
#[case::other_trust_domain(when(l7::Condition { attribute: known(l7::Attribute::SourceTrustDomain), values: texts(&["cluster"]), ..Default::default() }), false)]
#[case::peer_of_trust_domain(from(l7::Peer { trust_domains: texts(&["cluster.local"]), ..Default::default() }), true)]
#[case::peer_of_other_trust_domain(from(l7::Peer { not_trust_domains: texts(&["cluster.local"]), ..Default::default() }), false)]
#[case::method_of_http2(when(l7::Condition { attribute: header(":method"), values: texts(&["GET"]), ..Default::default() }), true)]
#[case::another_method(when(l7::Condition { attribute: header(":method"), values: texts(&["PUT"]), ..Default::default() }), false)]
#[case::path_without_its_query(when(l7::Condition { attribute: header(":path"), values: texts(&["/v1/items"]), ..Default::default() }), false)]
#[case::path_with_its_query(when(l7::Condition { attribute: header(":path"), values: texts(&["/v1/items?x=1"]), ..Default::default() }), true)]
#[case::path_begins_so(when(l7::Condition { attribute: header(":path"), values: vec![prefix("/v1/")], ..Default::default() }), true)]
#[case::host_header(when(l7::Condition { attribute: header("host"), values: texts(&["db.shop"]), ..Default::default() }), true)]
#[case::host_header_with_port(when(l7::Condition { attribute: header("host"), not_values: texts(&["db.shop:8080"]), ..Default::default() }), false)]
#[case::no_sni(when(l7::Condition { attribute: known(l7::Attribute::ConnectionSni), values: texts(&["a"]), ..Default::default() }), false)]
fn a_rule_matches_a_request(#[case] rule: l7::AuthorizationRule, #[case] expected: bool) {
    let allow = compiled(&[policy("p", l7::Action::Allow, vec![rule.clone()])]);
    let deny = compiled(&[policy("p", l7::Action::Deny, vec![rule])]);
    let asked = Asked::default();
    assert_eq!(asked.of(|visit| allow.check(visit).is_ok()), expected, "ALLOW");
    assert_eq!(asked.of(|visit| deny.check(visit).is_err()), expected, "DENY");
}

#[rstest]
#[case::principal(from(l7::Peer { principals: vec![present()], ..Default::default() }), false)]
#[case::not_principal(from(l7::Peer { not_principals: texts(&["x"]), ..Default::default() }), true)]
#[case::namespace(from(l7::Peer { namespaces: texts(&["shop"]), ..Default::default() }), false)]
#[case::not_namespace(from(l7::Peer { not_namespaces: texts(&["shop"]), ..Default::default() }), true)]
fn who_proves_nothing_is_nobody(#[case] rule: l7::AuthorizationRule, #[case] expected: bool) {
    let policies = compiled(&[policy("p", l7::Action::Allow, vec![rule])]);
    let asked = Asked { identity: None, ..Asked::default() };
    assert_eq!(asked.of(|visit| policies.check(visit).is_ok()), expected);
}

#[rstest]
#[case::host(to(l7::Operation { hosts: texts(&["db.shop"]), ..Default::default() }))]
#[case::not_host(to(l7::Operation { not_hosts: texts(&["other"]), ..Default::default() }))]
#[case::method(to(l7::Operation { methods: texts(&["GET"]), ..Default::default() }))]
#[case::path(to(l7::Operation { paths: vec![path("/")], ..Default::default() }))]
#[case::not_path(to(l7::Operation { not_paths: vec![path("/")], ..Default::default() }))]
#[case::header(when(l7::Condition { attribute: header("x"), values: vec![present()], ..Default::default() }))]
#[case::method_of_http2(when(l7::Condition { attribute: header(":method"), values: vec![present()], ..Default::default() }))]
#[case::not_path_of_http2(when(l7::Condition { attribute: header(":path"), not_values: texts(&["/"]), ..Default::default() }))]
#[case::not_header(when(l7::Condition { attribute: header("x"), not_values: vec![present()], ..Default::default() }))]
fn what_only_a_request_has_never_helps_a_connection(#[case] rule: l7::AuthorizationRule) {
    let asked = Asked { is_request: false, ..Asked::default() };
    let allow = compiled(&[policy("p", l7::Action::Allow, vec![rule.clone()])]);
    let deny = compiled(&[policy("p", l7::Action::Deny, vec![rule.clone()])]);
    assert!(asked.of(|visit| allow.check(visit).is_err()));
    assert!(asked.of(|visit| deny.check(visit).is_err()));
    // But a constraint that is known not to hold is that.
    let elsewhere = l7::AuthorizationRule {
        from: vec![l7::Peer { namespaces: texts(&["elsewhere"]), ..Default::default() }],
        ..rule
    };
    let deny = compiled(&[policy("p", l7::Action::Deny, vec![elsewhere])]);
    assert!(asked.of(|visit| deny.check(visit).is_ok()));
}

#[test]
fn a_connection_is_asked_for_what_it_has() {
    let sni = l7::Condition {
        attribute: known(l7::Attribute::ConnectionSni),
        values: texts(&["a.shop"]),
        ..Default::default()
    };
    let ports = l7::Operation { ports: vec![80], ..Default::default() };
    let rule = l7::AuthorizationRule { to: vec![ports], when: vec![sni], ..Default::default() };
    let policies = compiled(&[policy("p", l7::Action::Allow, vec![rule])]);
    let asked = |sni| Asked { is_request: false, sni, ..Asked::default() };
    assert!(asked(Some("a.shop")).of(|visit| policies.check(visit).is_ok()));
    assert!(asked(Some("b.shop")).of(|visit| policies.check(visit).is_err()));
    assert!(asked(None).of(|visit| policies.check(visit).is_err()));
}

fn everybody() -> Vec<l7::AuthorizationRule> {
    vec![l7::AuthorizationRule::default()]
}

#[rstest]
#[case::none(&[], None)]
#[case::allow(&[("a", l7::Action::Allow, true)], None)]
#[case::allow_nothing(&[("a", l7::Action::Allow, false)], Some("no ALLOW policy matches: not shop/a"))]
#[case::allow_of_two(&[("a", l7::Action::Allow, false), ("b", l7::Action::Allow, true)], None)]
#[case::none_of_two(
    &[("a", l7::Action::Allow, false), ("b", l7::Action::Allow, false)],
    Some("no ALLOW policy matches: not shop/a nor 1 more")
)]
#[case::deny_goes_first(
    &[("a", l7::Action::Allow, true), ("d", l7::Action::Deny, true)],
    Some("policy shop/d denies it (rules[0])")
)]
#[case::deny_nothing(&[("d", l7::Action::Deny, false)], None)]
#[case::audit_decides_nothing(&[("x", l7::Action::Audit, true)], None)]
#[case::audit_allows_nothing(
    &[("x", l7::Action::Audit, true), ("a", l7::Action::Allow, false)],
    Some("no ALLOW policy matches: not shop/a")
)]
fn policies_together(#[case] list: &[(&str, l7::Action, bool)], #[case] denial: Option<&str>) {
    let forms: Vec<_> = list
        .iter()
        .map(|(name, action, matches)| policy(name, *action, if *matches { everybody() } else { Vec::new() }))
        .collect();
    let policies = compiled(&forms);
    let said = Asked::default().of(|visit| policies.check(visit).err().map(|denial| denial.to_string()));
    assert_eq!(said.as_deref(), denial);
}

#[test]
fn what_is_on_trial_says_what_it_would_do() {
    let trial = |name, action, rules| l7::Authorization { dry_run: true, ..policy(name, action, rules) };
    let policies = compiled(&[
        trial("deny-all", l7::Action::Deny, everybody()),
        trial("deny-none", l7::Action::Deny, Vec::new()),
        trial("allow-all", l7::Action::Allow, everybody()),
        trial("allow-none", l7::Action::Allow, Vec::new()),
        policy("audit-all", l7::Action::Audit, everybody()),
        policy("audit-none", l7::Action::Audit, Vec::new()),
    ]);
    Asked::default().of(|visit| {
        assert_eq!(policies.check(visit), Ok(()));
        let said: Vec<_> = policies.remarks(visit).map(|remark| remark.policy).collect();
        assert_eq!(said, ["shop/deny-all", "shop/allow-none", "shop/audit-all"].map(Arc::from));
    });
}

#[rstest]
#[case::action(l7::Authorization { action: 9, ..Default::default() }, "authorizations[0].action")]
#[case::cidr(policy("p", l7::Action::Deny, vec![from(l7::Peer { ip_blocks: words(&["10.0.0.0/33"]), ..Default::default() })]), "authorizations[0].rules[0].from[0].ip_blocks[0]")]
#[case::port(policy("p", l7::Action::Deny, vec![to(l7::Operation { ports: vec![0], ..Default::default() })]), "authorizations[0].rules[0].to[0].ports[0]")]
#[case::text(policy("p", l7::Action::Deny, vec![to(l7::Operation { methods: vec![l7::StringMatch::default()], ..Default::default() })]), "authorizations[0].rules[0].to[0].methods[0]")]
#[case::template(policy("p", l7::Action::Deny, vec![to(l7::Operation { paths: vec![path("/{x}")], ..Default::default() })]), "authorizations[0].rules[0].to[0].paths[0].template")]
#[case::attribute(policy("p", l7::Action::Deny, vec![when(l7::Condition { values: texts(&["x"]), ..Default::default() })]), "authorizations[0].rules[0].when[0].attribute")]
#[case::no_value(policy("p", l7::Action::Deny, vec![when(l7::Condition { attribute: header("x"), ..Default::default() })]), "authorizations[0].rules[0].when[0]")]
#[case::text_for_an_address(policy("p", l7::Action::Deny, vec![when(l7::Condition { attribute: known(l7::Attribute::SourceIp), values: texts(&["10.0.0.1"]), ..Default::default() })]), "authorizations[0].rules[0].when[0]")]
#[case::address_for_a_text(policy("p", l7::Action::Deny, vec![when(l7::Condition { attribute: header("x"), values: texts(&["a"]), ip_blocks: words(&["::/0"]), ..Default::default() })]), "authorizations[0].rules[0].when[0]")]
fn what_cannot_be_honoured_is_refused_with_its_place(#[case] form: l7::Authorization, #[case] path: &str) {
    assert_eq!(Policies::compile([&form]).unwrap_err().path, path);
}

#[rstest]
#[case("db.shop", "db.shop", true)]
#[case("db.shop:80", "db.shop", true)]
#[case("db.shop:", "db.shop", true)]
#[case("[fd00::1]:80", "[fd00::1]", true)]
#[case("[fd00::1]", "[fd00::1]", true)]
#[case("fd00::1", "fd00:", false)]
#[case("db.shop:80:80", "db.shop:80", false)]
#[case("db.shop:http", "db.shop", false)]
fn ports_are_taken_off_hosts(#[case] authority: &'static str, #[case] host: &str, #[case] expected: bool) {
    let rule = to(l7::Operation { hosts: texts(&[host]), ..Default::default() });
    let policies = compiled(&[policy("p", l7::Action::Allow, vec![rule])]);
    let asked = Asked { authority, ..Asked::default() };
    assert_eq!(asked.of(|visit| policies.check(visit).is_ok()), expected);
}
