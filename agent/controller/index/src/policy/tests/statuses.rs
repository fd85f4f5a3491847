//! What the authors are told.

use rstest::rstest;
use serde_json::Value;
use weir_resources::{Condition, Invalid, Meta, Problem};

use super::{ROOT, authorization_key, json, peer_key, policy};
use crate::policy::Policies;
use crate::{Config, StatusUpdate};

/// Conditions as `Type=Status/Reason`, and words that their message has.
#[rstest]
#[case::good(
    "{}",
    "Accepted=True/Accepted Programmed=True/Programmed ZtunnelAccepted=True/Accepted",
    "as it is written"
)]
#[case::requests(
    r#"{"rules": [{"to": [{"operation": {"methods": ["GET"]}}]}]}"#,
    "Accepted=False/UnsupportedValue Programmed=True/Programmed ZtunnelAccepted=True/UnsupportedValue",
    "spec.rules[0].to[0].operation.methods: is about requests|allow nothing"
)]
#[case::deny_requests(
    r#"{"action": "DENY", "rules": [{"to": [{"operation": {"methods": ["GET"]}}]}]}"#,
    "Accepted=False/UnsupportedValue Programmed=True/Programmed ZtunnelAccepted=True/UnsupportedValue",
    "spec.rules[0].to[0].operation.methods: is about requests|more may be denied"
)]
#[case::invalid(
    r#"{"rules": [{"to": [{"operation": {"ports": ["http"]}}]}]}"#,
    "Accepted=False/Invalid Programmed=True/Programmed ZtunnelAccepted=False/UnsupportedValue",
    "spec.rules[0].to[0].operation.ports[0]: \"http\" is not a port|allow nothing"
)]
#[case::selector(
    r#"{"selector": {"matchLabels": {"a": 1}}}"#,
    "Accepted=False/Invalid Programmed=True/Programmed ZtunnelAccepted=False/UnsupportedValue",
    "spec.selector.matchLabels.a: must be a string and is the number 1|it allows nothing"
)]
#[case::action(
    r#"{"action": "deny"}"#,
    "Accepted=False/Invalid Programmed=True/Programmed ZtunnelAccepted=False/UnsupportedValue",
    "spec.action: \"deny\" is none of ALLOW|everything is denied"
)]
#[case::audit(
    r#"{"action": "AUDIT"}"#,
    "Accepted=False/UnsupportedValue Programmed=False/NotEnforced ZtunnelAccepted=False/UnsupportedValue",
    "spec.action: AUDIT|nothing is audited"
)]
#[case::custom(
    r#"{"action": "CUSTOM", "rules": [{}]}"#,
    "Accepted=False/UnsupportedValue Programmed=True/Programmed ZtunnelAccepted=False/UnsupportedValue",
    "spec.action: CUSTOM|Meanwhile what its rules match is denied"
)]
#[case::custom_without_rules(
    r#"{"action": "CUSTOM"}"#,
    "Accepted=False/Invalid Programmed=True/Programmed ZtunnelAccepted=False/UnsupportedValue",
    "spec.rules: is empty|Meanwhile it denies nothing."
)]
#[case::deny_without_rules(
    r#"{"action": "DENY"}"#,
    "Accepted=False/Invalid Programmed=True/Programmed ZtunnelAccepted=False/UnsupportedValue",
    "spec.rules: is empty|Meanwhile it denies nothing."
)]
#[case::trust_domains(
    r#"{"rules": [{"from": [{"source": {"trustDomains": ["a"]}}]}]}"#,
    "Accepted=False/UnsupportedValue Programmed=True/Programmed ZtunnelAccepted=True/UnsupportedValue",
    "source.trustDomains: is nothing that a policy can tell a node proxy|allow nothing"
)]
#[case::targets(
    r#"{"targetRefs": [{"kind": "Service", "name": "x"}]}"#,
    "Accepted=True/Accepted Programmed=False/Pending WaypointAccepted=False/TargetNotFound",
    "it is enforced as it is written"
)]
#[case::bad_targets(
    r#"{"targetRefs": [{"kind": "Service", "name": "x"}], "rules": 1}"#,
    "Accepted=False/Invalid Programmed=False/Pending WaypointAccepted=False/Invalid",
    "spec.rules: must be a list"
)]
#[case::doubt(
    r#"{"rules": [{"from": [{"source": {"namespaces": ["a*b"]}}]}]}"#,
    "Accepted=True/Accepted Programmed=True/Programmed ZtunnelAccepted=True/Accepted",
    "spec.rules[0].from[0].source.namespaces[0]: \"a*b\" has a star"
)]
fn of_an_authorization_policy(#[case] spec: &str, #[case] conditions: &str, #[case] words: &str) {
    let mut policies = Policies::new(&Config::default());
    policies.apply(Some(&at_generation(7, policy("shop", "p", json(spec)))), &authorization_key("shop", "p"));
    let status = policies.status_of(&authorization_key("shop", "p")).unwrap();
    assert_eq!(shown(&status), conditions);
    assert_eq!(status.generation, 7);
    assert!(status.conditions.iter().all(|c| c.observed_generation == 7 && !c.message.is_empty()));
    let accepted = &status.conditions[0].message;
    for word in words.split('|') {
        assert!(accepted.contains(word), "{accepted}");
    }
}

#[rstest]
#[case::good(
    r#"{"mtls": {"mode": "STRICT"}}"#,
    "Accepted=True/Accepted Programmed=True/Programmed",
    "as it is written"
)]
#[case::mode(
    r#"{"mtls": {"mode": "ON"}}"#,
    "Accepted=False/Invalid Programmed=True/Programmed",
    "spec.mtls.mode: \"ON\" is none of UNSET|demands mTLS"
)]
#[case::selector(
    r#"{"selector": 1, "mtls": {"mode": "STRICT"}}"#,
    "Accepted=False/Invalid Programmed=True/Programmed",
    "spec.selector: must be an object|of all that it may have been meant for"
)]
#[case::harmless_selector(
    r#"{"selector": 1}"#,
    "Accepted=False/Invalid Programmed=False/NotEnforced",
    "spec.selector|no effect"
)]
fn of_a_peer_authentication(#[case] spec: &str, #[case] conditions: &str, #[case] words: &str) {
    let mut policies = Policies::new(&Config::default());
    policies.apply(Some(&policy("shop", "p", json(spec))), &peer_key("shop", "p"));
    let status = policies.status_of(&peer_key("shop", "p")).unwrap();
    assert_eq!(shown(&status), conditions);
    for word in words.split('|') {
        assert!(status.conditions[0].message.contains(word), "{status:?}");
    }
}

#[test]
fn a_selector_in_the_root_namespace_is_told() {
    let mut policies = Policies::new(&Config::default());
    let spec = json(r#"{"selector": {"matchLabels": {"a": "b"}}, "mtls": {"mode": "STRICT"}}"#);
    policies.apply(Some(&policy(ROOT, "p", spec)), &peer_key(ROOT, "p"));
    let status = policies.status_of(&peer_key(ROOT, "p")).unwrap();
    assert_eq!(shown(&status), "Accepted=False/UnsupportedValue Programmed=False/NotEnforced");
}

/// The younger one learns that it has no effect, and that it has, when the older goes.
#[test]
fn a_conflict_comes_and_goes() {
    let mut policies = Policies::new(&Config::default());
    let spec = json(r#"{"mtls": {"mode": "STRICT"}}"#);
    policies.apply(Some(&policy("shop", "z", spec.clone())), &peer_key("shop", "z"));
    assert_eq!(policies.take_status().len(), 1);
    policies.apply(Some(&policy("shop", "a", spec)), &peer_key("shop", "a"));
    let all: Vec<_> = policies.take_status().iter().map(|s| (s.key.name.to_string(), shown(s))).collect();
    assert_eq!(all[0], ("a".into(), "Accepted=True/Accepted Programmed=True/Programmed".into()));
    assert_eq!(all[1], ("z".into(), "Accepted=False/Conflict Programmed=False/Conflict".into()));
    policies.apply(None, &peer_key("shop", "a"));
    let all: Vec<_> = policies.take_status().iter().map(shown).collect();
    assert_eq!(all, ["Accepted=True/Accepted Programmed=True/Programmed"]);
}

/// What is there already is not written again; what is not ours is not looked at; what is stale goes.
#[test]
fn nothing_is_written_twice() {
    let mut policies = Policies::new(&Config::default());
    let key = authorization_key("shop", "p");
    let mut told = at_generation(3, policy("shop", "p", json("{}")));
    policies.apply(Some(&told), &key);
    let update = policies.take_status().remove(0);
    let others = Condition { kind: "Else".into(), ..update.conditions[0].clone() };
    told.meta.conditions = update.conditions.clone();
    told.meta.conditions.push(others);
    policies.apply(Some(&told), &key);
    assert_eq!(policies.take_status(), []);
    assert_eq!(policies.status_of(&key), None);

    let next = at_generation(4, told.clone());
    policies.apply(Some(&next), &key);
    assert_eq!(policies.take_status()[0].generation, 4, "observedGeneration is another");

    let stale = Condition { kind: "WaypointAccepted".into(), ..update.conditions[0].clone() };
    told.meta.conditions.push(stale);
    policies.apply(Some(&told), &key);
    assert_eq!(policies.take_status()[0].remove, ["WaypointAccepted"]);
}

/// Ten thousand wrong values do not make a status of a megabyte.
#[test]
fn a_status_stays_short() {
    let many: Vec<String> = (0..10_000).map(|i| format!("{i}{}", "x".repeat(200))).collect();
    let spec = serde_json::json!({"rules": [{"from": [{"source": {"ipBlocks": many}}]}]});
    let mut policies = Policies::new(&Config::default());
    policies.apply(Some(&policy("shop", "p", spec)), &authorization_key("shop", "p"));
    let message = policies.take_status().remove(0).conditions.remove(0).message;
    assert!(message.len() < 4096 && message.contains("and 9984 more"), "{message}");
}

/// Kubernetes takes 32 KiB.
#[test]
fn names_of_fields_are_cut() {
    let long = |c: &str| (c.repeat(100_000), Value::Null);
    let spec = Value::Object(["a", "é", "\"", "b", "c"].map(long).into_iter().collect());
    let mut policies = Policies::new(&Config::default());
    policies.apply(Some(&policy("shop", "p", spec.clone())), &authorization_key("shop", "p"));
    policies.apply(Some(&policy("shop", "p", spec)), &peer_key("shop", "p"));
    for status in policies.take_status() {
        assert!(status.conditions.iter().all(|c| c.message.len() < 8192), "{status:?}");
    }
}

#[test]
fn what_could_not_be_read_is_told() {
    for key in [authorization_key("shop", "p"), peer_key("shop", "p")] {
        let mut policies = Policies::new(&Config::default());
        policies.invalid(&invalid(Some(key.clone())));
        let status = policies.take_status().remove(0);
        assert_eq!((&status.key, status.generation), (&key, 5));
        assert!(status.conditions[0].message.starts_with("apiVersion: is from the future"), "{status:?}");
        assert_eq!((&*status.conditions[0].status, &*status.conditions[0].reason), ("False", "Invalid"));
    }
}

pub(super) fn invalid(key: Option<weir_resources::Key>) -> Invalid {
    let meta = Meta { namespace: "shop".into(), name: "p".into(), generation: 5, ..Meta::default() };
    Invalid {
        key,
        meta: Box::new(meta),
        problem: Problem::new("apiVersion", "is from the future"),
        spec: None,
    }
}

fn at_generation(generation: i64, mut policy: weir_resources::Policy) -> weir_resources::Policy {
    policy.meta.generation = generation;
    policy
}

fn shown(status: &StatusUpdate) -> String {
    let one = |c: &Condition| format!("{}={}/{}", c.kind, c.status, c.reason);
    status.conditions.iter().map(one).collect::<Vec<_>>().join(" ")
}
