//! A policy that is broken lets nobody through whom it would keep out whole.

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::{Map, Value, json};
use weir_proto::l7::Authorization;
use weir_waypoint::authorize::Policies as Compiled;

use super::visit;
use crate::Config;
use crate::policy::authorization;
use crate::policy::tests::policy;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_broken_is_never_wider(
        deny in any::<bool>(),
        rules in proptest::collection::vec(rule(), 1..4),
        place in any::<Index>(),
        odd in odd(),
        visits in proptest::collection::vec(asked(), 1..12),
    ) {
        let action = if deny { "DENY" } else { "ALLOW" };
        let whole = json!({"targetRefs": [{"kind": "Service", "name": "web"}], "action": action, "rules": rules});
        let mut broken = whole.clone();
        let lists = lists(&whole, String::new());
        *broken.pointer_mut(&lists[place.index(lists.len())]).expect("a list") = odd;
        let (whole_form, broken_form) = (form(&whole), form(&broken));
        let allows = |form: &Authorization, asked: &str| {
            let compiled = Compiled::compile([form]).expect("our waypoint takes it");
            visit::ask(asked, |visit| compiled.check(visit).is_ok())
        };
        for asked in &visits {
            let wider = allows(&broken_form, asked) && !allows(&whole_form, asked);
            prop_assert!(!wider, "{broken}\nlets {asked} through, and whole it does not:\n{whole}");
        }
    }

    /// Whatever a text in a list is, a waypoint takes what is made of it: it would refuse all policies with it.
    #[test]
    fn a_waypoint_takes_any_text(
        text in "[/{}*a.:?#%\\[\\] -]{0,8}|\\PC{0,6}",
        field in select(&["paths", "notPaths", "hosts", "methods", "ports"][..]),
        key in "request\\.headers\\[[a-zA-Z:_. -]{0,4}\\]|source\\.ip|destination\\.port|connection\\.sni",
    ) {
        let rule = json!({
            "to": [{"operation": {field: [text]}}],
            "from": [{"source": {"principals": [text], "serviceAccounts": []}}, {"source": {"ipBlocks": [text]}}],
            "when": [{"key": key, "values": [text]}],
        });
        for action in ["ALLOW", "DENY", "AUDIT"] {
            let spec = json!({"targetRefs": [{"kind": "Service", "name": "web"}], "action": action, "rules": [rule]});
            prop_assert!(Compiled::compile([&form(&spec)]).is_ok());
        }
    }
}

fn form(spec: &Value) -> Authorization {
    let converted = authorization::convert(&policy("shop", "p", spec.clone()), &Config::default());
    Authorization::clone(&converted.at_waypoints.expect("a policy of waypoints").policy)
}

fn rule() -> impl Strategy<Value = Value> {
    let source = subsequence(SOURCES.to_vec(), 1..=3);
    let operation = subsequence(OPERATIONS.to_vec(), 1..=3);
    let when = subsequence(CONDITIONS.to_vec(), 1..=2);
    (source, operation, when, 1_u8..8).prop_map(|(source, operation, when, parts)| {
        let fields = |list: Vec<(&str, &str)>| {
            list.into_iter().map(|(name, value)| (name.to_owned(), json!([value]))).collect::<Map<_, _>>()
        };
        let when: Vec<Value> = when
            .into_iter()
            .map(|(key, value)| json!({"key": key, "values": [value], "notValues": ["9"]}))
            .collect();
        let mut rule = Map::new();
        if parts & 1 > 0 {
            rule.insert(
                "from".to_owned(),
                json!([{"source": fields(source)}, {"source": {"namespaces": ["c"]}}]),
            );
        }
        if parts & 2 > 0 {
            rule.insert("to".to_owned(), json!([{"operation": fields(operation)}]));
        }
        if parts & 4 > 0 {
            rule.insert("when".to_owned(), Value::Array(when));
        }
        Value::Object(rule)
    })
}

/// What nobody can make sense of, as a list of texts or as a list of parts.
fn odd() -> impl Strategy<Value = Value> {
    let odd =
        [json!(null), json!("x"), json!(7), json!([7]), json!([""]), json!([null]), json!({}), json!([{}])];
    select(odd.to_vec())
}

/// Pointers to all lists but those of targets and of rules.
fn lists(value: &Value, at: String) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), field)).collect(),
        _ => return Vec::new(),
    };
    let own = (value.is_array() && at != "/rules").then(|| at.clone());
    let inner = inner.into_iter().filter(|(name, _)| name != "targetRefs");
    own.into_iter().chain(inner.flat_map(|(name, value)| lists(value, format!("{at}/{name}")))).collect()
}

fn asked() -> impl Strategy<Value = String> {
    let who =
        select(&["-@10.1.0.1", "a/x@10.1.0.1", "b/x@10.2.0.1", "other.org/a/x@10.2.0.1", "c/y@fd00::1"][..]);
    let what =
        select(&["GET web/a", "POST web/a/b", "GET db:81/b", "TCP web:443", "TCP :80", "PUT web/"][..]);
    let header = select(&["", " h=1", " h=9", " h=2 h=3"][..]);
    (who, what, header).prop_map(|(who, what, header)| format!("{who} {what}{header}"))
}

const SOURCES: [(&str, &str); 9] = [
    ("principals", "*/sa/x"),
    ("notPrincipals", "*"),
    ("namespaces", "a"),
    ("notNamespaces", "b"),
    ("ipBlocks", "10.1.0.0/16"),
    ("notIpBlocks", "10.1.0.0/16"),
    ("remoteIpBlocks", "10.0.0.0/8"),
    ("trustDomains", "cluster.local"),
    ("notTrustDomains", "other*"),
];
const OPERATIONS: [(&str, &str); 8] = [
    ("methods", "GET"),
    ("notMethods", "GET"),
    ("paths", "/a*"),
    ("notPaths", "/a/{*}"),
    ("hosts", "web"),
    ("notHosts", "web*"),
    ("ports", "80"),
    ("notPorts", "80"),
];
const CONDITIONS: [(&str, &str); 5] = [
    ("request.headers[h]", "1"),
    ("request.headers[host]", "web"),
    ("source.namespace", "*"),
    ("connection.sni", "*"),
    ("destination.port", "80"),
];
