//! Changes: who must be asked again, and what is published.

use rstest::rstest;
use weir_resources::Key;

use super::statuses::invalid;
use super::{ROOT, authorization_key, json, labels, line, peer_key, policy};
use crate::Config;
use crate::policy::{Affected, Policies};

/// A policy in a namespace before and after, and whom that concerns.
#[rstest]
#[case::for_the_namespace("shop", None, Some("{}"), Affected::Nothing)]
#[case::selected("shop", None, Some(r#"{"selector": {"matchLabels": {"a": "b"}}}"#), selected("a=b", "a=b"))]
#[case::gone("shop", Some(r#"{"selector": {"matchLabels": {"a": "b"}}}"#), None, selected("a=b", "a=b"))]
#[case::another_selector(
    "shop",
    Some(r#"{"selector": {"matchLabels": {"a": "b"}}}"#),
    Some(r#"{"selector": {"matchLabels": {"c": "d"}}}"#),
    selected("a=b", "c=d")
)]
#[case::other_rules(
    "shop",
    Some(r#"{"selector": {"matchLabels": {"a": "b"}}}"#),
    Some(r#"{"selector": {"matchLabels": {"a": "b"}}, "rules": [{}]}"#),
    Affected::Nothing
)]
#[case::no_longer_sent(
    "shop",
    Some(r#"{"selector": {"matchLabels": {"a": "b"}}}"#),
    Some(r#"{"selector": {"matchLabels": {"a": "b"}}, "action": "AUDIT"}"#),
    selected("a=b", "a=b")
)]
#[case::selects_all("shop", None, Some(r#"{"selector": {}}"#), selected("", ""))]
#[case::root(ROOT, None, Some(r#"{"selector": {"matchLabels": {"a": "b"}}}"#), Affected::Everything)]
#[case::root_for_all(ROOT, None, Some("{}"), Affected::Nothing)]
fn of_an_authorization_policy(
    #[case] namespace: &str,
    #[case] before: Option<&str>,
    #[case] after: Option<&str>,
    #[case] affected: Affected,
) {
    assert_eq!(change(&authorization_key(namespace, "p"), before, after), affected);
}

#[rstest]
#[case::strict("shop", None, Some(r#"{"mtls": {"mode": "STRICT"}}"#), selected("", ""))]
#[case::permissive("shop", None, Some(r#"{"mtls": {"mode": "PERMISSIVE"}}"#), Affected::Nothing)]
#[case::workload(
    "shop",
    None,
    Some(r#"{"selector": {"matchLabels": {"a": "b"}}, "mtls": {"mode": "STRICT"}}"#),
    selected("a=b", "a=b")
)]
#[case::root(ROOT, None, Some(r#"{"mtls": {"mode": "STRICT"}}"#), Affected::Everything)]
#[case::root_permissive(ROOT, None, Some(r#"{"mtls": {"mode": "PERMISSIVE"}}"#), Affected::Nothing)]
#[case::root_selector(
    ROOT,
    None,
    Some(r#"{"selector": {"matchLabels": {"a": "b"}}, "mtls": {"mode": "STRICT"}}"#),
    Affected::Nothing
)]
#[case::forced("shop", None, Some(r#"{"selector": 1, "mtls": {"mode": "STRICT"}}"#), selected("", ""))]
#[case::same(
    "shop",
    Some(r#"{"mtls": {"mode": "STRICT"}}"#),
    Some(r#"{"mtls": {"mode": "STRICT"}}"#),
    Affected::Nothing
)]
#[case::gone("shop", Some(r#"{"mtls": {"mode": "STRICT"}}"#), None, selected("", ""))]
#[case::narrower(
    "shop",
    Some(r#"{"mtls": {"mode": "STRICT"}}"#),
    Some(r#"{"selector": {"matchLabels": {"a": "b"}}, "mtls": {"mode": "STRICT"}}"#),
    selected("", "")
)]
fn of_a_peer_authentication(
    #[case] namespace: &str,
    #[case] before: Option<&str>,
    #[case] after: Option<&str>,
    #[case] affected: Affected,
) {
    assert_eq!(change(&peer_key(namespace, "p"), before, after), affected);
}

fn change(key: &Key, before: Option<&str>, after: Option<&str>) -> Affected {
    let mut policies = Policies::new(&Config::default());
    let policy = |spec: &str| policy(&key.namespace, &key.name, json(spec));
    if let Some(before) = before {
        policies.apply(Some(&policy(before)), key);
    }
    policies.apply(after.map(policy).as_ref(), key)
}

fn selected(before: &str, after: &str) -> Affected {
    Affected::Namespace("shop".into(), labels(before), labels(after))
}

#[rstest]
#[case("shop", "a=b", &["shop/everybody", "shop/one", "weir-system/one"])]
#[case("shop", "a=c", &["shop/everybody"])]
#[case("shop", "", &["shop/everybody"])]
#[case("other", "a=b", &["weir-system/one"])]
#[case(ROOT, "a=b", &["weir-system/one"])]
fn a_workload_names_who_selects_it(#[case] namespace: &str, #[case] own: &str, #[case] keys: &[&str]) {
    let mut policies = Policies::new(&Config::default());
    let selector = r#"{"selector": {"matchLabels": {"a": "b"}}}"#;
    for (namespace, name, spec) in [
        ("shop", "one", selector),
        (ROOT, "one", selector),
        ("shop", "everybody", r#"{"selector": {}}"#),
        ("shop", "all", "{}"),
        (ROOT, "all", "{}"),
        ("shop", "audit", r#"{"action": "AUDIT", "selector": {}}"#),
        ("shop", "target", r#"{"targetRef": {"kind": "Service", "name": "x"}}"#),
        ("shop", "bad", r#"{"selector": {"matchLabels": {"a": 1}}}"#),
    ] {
        let key = authorization_key(namespace, name);
        policies.apply(Some(&policy(namespace, name, json(spec))), &key);
    }
    let named: Vec<String> =
        policies.keys_for(namespace, &labels(own)).iter().map(ToString::to_string).collect();
    assert_eq!(named, keys);
}

#[test]
fn only_changes_are_published() {
    let mut policies = Policies::new(&Config::default());
    let key = authorization_key("shop", "p");
    let apply = |policies: &mut Policies, spec: Option<&str>| {
        policies.apply(spec.map(|spec| policy("shop", "p", json(spec))).as_ref(), &key);
        let changed = policies.take_changed();
        changed.iter().map(|(key, policy)| format!("{key} {}", line(policy.as_ref()))).collect::<Vec<_>>()
    };
    assert_eq!(apply(&mut policies, Some("{}")), ["shop/p ALLOW to shop: never"]);
    assert!(apply(&mut policies, Some("{}")).is_empty());
    assert_eq!(apply(&mut policies, Some(r#"{"rules": [{}]}"#)), ["shop/p ALLOW to shop: always"]);
    assert_eq!(apply(&mut policies, Some(r#"{"action": "AUDIT"}"#)), ["shop/p not sent"]);
    assert!(apply(&mut policies, None).is_empty());
}

/// The policy for all that must have mTLS is there as long as any PeerAuthentication is.
#[test]
fn strict_comes_and_goes() {
    let mut policies = Policies::new(&Config::default());
    let mut apply = |namespace: &str, spec: Option<&str>| {
        let policy = spec.map(|spec| policy(namespace, "p", json(spec)));
        policies.apply(policy.as_ref(), &peer_key(namespace, "p"));
        let changed = policies.take_changed();
        changed.into_iter().map(|(key, policy)| (key.to_string(), policy.is_some())).collect::<Vec<_>>()
    };
    let strict = format!("{ROOT}/istio_converted_static_strict");
    assert_eq!(apply("shop", Some("{}")), [(strict.clone(), true)]);
    assert_eq!(apply(ROOT, Some("{}")), []);
    assert_eq!(apply("shop", None), []);
    assert_eq!(apply(ROOT, None), [(strict, false)]);
}

/// The policy of a PeerAuthentication with ports depends on what it inherits.
#[rstest]
#[case::mesh(ROOT)]
#[case::namespace("shop")]
fn what_is_inherited_changes_the_heir(#[case] level: &str) {
    let mut policies = Policies::new(&Config::default());
    let spec =
        json(r#"{"selector": {"matchLabels": {"a": "b"}}, "portLevelMtls": {"80": {"mode": "PERMISSIVE"}}}"#);
    policies.apply(Some(&policy("shop", "w", spec)), &peer_key("shop", "w"));
    policies.take_changed();
    let own = "shop/converted_peer_authentication_w";
    let strict = policy(level, "s", json(r#"{"mtls": {"mode": "STRICT"}}"#));
    policies.apply(Some(&strict), &peer_key(level, "s"));
    let changed: Vec<_> =
        policies.take_changed().into_iter().map(|(k, p)| (k.to_string(), line(p.as_ref()))).collect();
    assert_eq!(changed, [(own.into(), "DENY to selected: !principal any and !port 80".into())]);
    assert_eq!(policies.keys_for("shop", &labels("a=b")), [own.into()]);
    policies.apply(None, &peer_key(level, "s"));
    let changed: Vec<_> = policies.take_changed().into_iter().map(|(k, p)| (k.to_string(), p)).collect();
    assert_eq!(changed, [(own.into(), None)]);
    assert!(policies.keys_for("shop", &labels("a=b")).is_empty());
}

/// What cannot be read takes the place of what was there, and closes it.
#[test]
fn what_cannot_be_read_is_closed() {
    let mut policies = Policies::new(&Config::default());
    let key = authorization_key("shop", "p");
    let spec = json(r#"{"selector": {"matchLabels": {"a": "b"}}, "rules": [{}]}"#);
    policies.apply(Some(&policy("shop", "p", spec)), &key);
    policies.take_changed();
    assert_eq!(policies.invalid(&invalid(Some(key))), selected("a=b", "a=b"));
    assert_eq!(line(policies.take_changed()[0].1.as_ref()), "DENY to shop: always");

    assert_eq!(policies.invalid(&invalid(Some(peer_key("shop", "p")))), selected("", ""));
    let strict = format!("{ROOT}/istio_converted_static_strict");
    assert_eq!(policies.keys_for("shop", &labels("a=b")), [strict.into()]);
    assert_eq!(policies.invalid(&invalid(None)), Affected::Nothing);
}

#[test]
fn other_kinds_are_nothing_here() {
    let mut policies = Policies::new(&Config::default());
    let key = Key::new(weir_resources::Kind::Pod, "shop", "p");
    assert_eq!(policies.apply(Some(&policy("shop", "p", json("{}"))), &key), Affected::Nothing);
    assert_eq!(policies.invalid(&invalid(Some(key.clone()))), Affected::Nothing);
    assert!(policies.take_changed().is_empty() && policies.status_of(&key).is_none());
}
