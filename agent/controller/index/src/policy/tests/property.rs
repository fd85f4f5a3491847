//! No policy, however broken, lets in whom its words keep out.
//!
//! The words are evaluated as they stand in the object, with three truth values (`naive`); what was sent goes the way it goes in a
//! node proxy: the message read by the agent's conversion and judged by its verdict.

use std::net::SocketAddr;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use weir_model::{Connection, Identity, Verdict, authorize};

use super::{ROOT, policy};
use crate::Config;
use crate::policy::authorization;

mod naive;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn nobody_is_let_in_past_the_words(
        spec in spec(),
        root in any::<bool>(),
        connections in proptest::collection::vec(connection(), 1..8),
    ) {
        let namespace = if root { ROOT } else { "a" };
        let converted = authorization::convert(&policy(namespace, "p", spec.clone()), &Config::default());
        let sent = converted.sent.clone().expect("a policy for node proxies");
        let read = weir_discovery::convert::authorization(sent).expect("our own agent takes it");
        let in_force = [Arc::new(read)];
        for (peer, source, destination) in connections {
            let connection =
                Connection { peer: peer.as_ref(), source_ip: source.ip(), destination };
            let verdict = authorize(&in_force, &connection) == Verdict::Allow;
            let words = naive::allows(&spec, namespace, &connection);
            prop_assert!(words || !verdict, "{spec}\nlets in {connection:?}");
            if !converted.findings.refuse() {
                prop_assert_eq!(words, verdict, "{}\nkeeps out {:?}", spec, connection);
            }
        }
    }

    /// Whatever the JSON, an answer comes, and it is one that our own agent takes.
    #[test]
    fn anything_has_an_answer(spec in anything()) {
        let config = Config::default();
        let policy = policy("a", "p", spec);
        let converted = authorization::convert(&policy, &config);
        if let Some(sent) = converted.sent {
            prop_assert!(weir_discovery::convert::authorization(sent).is_ok());
        }
        let peer = crate::policy::peer_authentication::read(&policy, &config);
        // What is said of a stranger's object is a line for a log and a terminal.
        for words in [converted.findings.words(), peer.findings.words()] {
            prop_assert!(!words.contains(char::is_control), "{words:?}");
        }
    }
}

type Peer = (Option<Identity>, SocketAddr, SocketAddr);

fn connection() -> impl Strategy<Value = Peer> {
    let peer = proptest::option::of(("cluster\\.local|other\\.org", "[ab]", "[xy]"))
        .prop_map(|peer| peer.map(|(td, ns, sa)| Identity::new(&td, &ns, &sa).expect("an identity")));
    let address = prop_oneof![
        Just("10.0.0.1"),
        Just("10.0.0.2"),
        Just("10.1.0.1"),
        Just("::ffff:10.0.0.1"),
        Just("2001:db8::1"),
        Just("::1")
    ]
    .prop_map(|ip| ip.parse::<std::net::IpAddr>().expect("an address"));
    let port = prop_oneof![Just(80_u16), Just(81), Just(443)];
    (peer, address.clone(), address, port)
        .prop_map(|(peer, from, to, port)| (peer, SocketAddr::new(from, 1), SocketAddr::new(to, port)))
}

fn spec() -> impl Strategy<Value = Value> {
    let action = prop_oneof![
        8 => Just(json!("DENY")), 6 => Just(json!("ALLOW")), 1 => Just(json!("deny")), 1 => Just(json!(1))
    ];
    let action = proptest::option::weighted(0.7, action);
    let rules = proptest::option::weighted(0.9, rarely(list(rule(), 0..4)));
    let other = proptest::option::weighted(0.05, Just(json!({})));
    fields(vec![("action", action.boxed()), ("rules", rules.boxed()), ("ruels", other.boxed())])
}

fn rule() -> impl Strategy<Value = Value> {
    let list = |entry: BoxedStrategy<Value>| rarely(list(entry, 0..3));
    let maybe = |part: BoxedStrategy<Value>| proptest::option::weighted(0.5, part).boxed();
    rarely(fields(vec![
        ("from", maybe(list(wrapped("source", source())))),
        ("to", maybe(list(wrapped("operation", operation())))),
        ("when", maybe(list(condition()))),
        ("form", proptest::option::weighted(0.03, Just(json!([]))).boxed()),
    ]))
}

fn source() -> BoxedStrategy<Value> {
    fields(vec![
        ("principals", some(0.3, PRINCIPALS)),
        ("notPrincipals", some(0.2, PRINCIPALS)),
        ("namespaces", some(0.3, NAMESPACES)),
        ("notNamespaces", some(0.2, NAMESPACES)),
        ("serviceAccounts", some(0.1, ACCOUNTS)),
        ("notServiceAccounts", some(0.1, ACCOUNTS)),
        ("ipBlocks", some(0.2, RANGES)),
        ("notIpBlocks", some(0.2, RANGES)),
        ("requestPrincipals", some(0.05, PRINCIPALS)),
        ("ip_blocks", some(0.03, RANGES)),
    ])
    .boxed()
}

fn operation() -> BoxedStrategy<Value> {
    let of = |weight| some(weight, PORTS);
    fields(vec![("ports", of(0.6)), ("notPorts", of(0.3)), ("methods", of(0.1)), ("port", of(0.03))]).boxed()
}

fn condition() -> BoxedStrategy<Value> {
    let one = |key: &'static str, values| {
        fields(vec![
            ("key", Just(Some(json!(key))).boxed()),
            ("values", some(0.7, values)),
            ("notValues", some(0.4, values)),
            ("value", some(0.03, values)),
        ])
    };
    rarely(prop_oneof![
        4 => one("source.ip", RANGES),
        4 => one("source.namespace", NAMESPACES),
        4 => one("source.principal", PRINCIPALS),
        4 => one("destination.ip", RANGES),
        4 => one("destination.port", PORTS),
        1 => one("request.headers[a]", NAMESPACES),
        1 => one("sourceip", RANGES),
    ])
}

/// Mostly `{name: inner}`.
fn wrapped(name: &'static str, inner: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let some = proptest::option::weighted(0.97, rarely(inner)).boxed();
    let other = proptest::option::weighted(0.03, Just(json!({}))).boxed();
    rarely(fields(vec![(name, some), ("other", other)]))
}

/// A list that is there with this probability, of these values; mostly the good ones.
fn some(
    probability: f64,
    values: (&'static [&'static str], &'static [&'static str]),
) -> BoxedStrategy<Option<Value>> {
    let (good, bad) = values;
    let value = prop_oneof![
        20 => proptest::sample::select(good).prop_map(|text| json!(text)),
        1 => proptest::sample::select(bad).prop_map(|text| json!(text)),
        1 => Just(json!(80)),
    ];
    proptest::option::weighted(probability, rarely(list(value, 0..3))).boxed()
}

fn list(item: impl Strategy<Value = Value> + 'static, size: std::ops::Range<usize>) -> BoxedStrategy<Value> {
    proptest::collection::vec(item, size).prop_map(Value::Array).boxed()
}

/// An object with the fields that are there.
fn fields(fields: Vec<(&'static str, BoxedStrategy<Option<Value>>)>) -> impl Strategy<Value = Value> {
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    values.prop_map(move |values| {
        let there = names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
        Value::Object(there.collect())
    })
}

/// Now and then something else altogether.
fn rarely(usual: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    let odd =
        prop_oneof![Just(json!(null)), Just(json!("x")), Just(json!(7)), Just(json!([])), Just(json!({}))];
    prop_oneof![40 => usual, 1 => odd].boxed()
}

/// JSON of any shape, with the names and words that mean something.
fn anything() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 32] = [
        "spec",
        "rules",
        "from",
        "to",
        "when",
        "source",
        "operation",
        "key",
        "values",
        "notValues",
        "principals",
        "ipBlocks",
        "ports",
        "selector",
        "matchLabels",
        "action",
        "DENY",
        "targetRefs",
        "kind",
        "name",
        "mtls",
        "mode",
        "portLevelMtls",
        "80",
        "STRICT",
        "*",
        "",
        "::ffff:1.2.3.4/100",
        "source.ip",
        "a/b",
        "\u{0}",
        "é*",
    ];
    let word = || proptest::sample::select(&WORDS[..]).prop_map(str::to_owned);
    let leaf = prop_oneof![
        word().prop_map(Value::String),
        any::<String>().prop_map(Value::String),
        any::<f64>().prop_map(|number| json!(number)),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
    ];
    leaf.prop_recursive(6, 48, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::btree_map(word(), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

type Values = (&'static [&'static str], &'static [&'static str]);
const PRINCIPALS: Values = (
    &[
        "*",
        "cluster.local/*",
        "*/sa/x",
        "cluster.local/ns/a/sa/x",
        "other.org/ns/b/sa/y",
        "*x",
        "cl*",
        "*/ns/*",
        "z",
    ],
    &[""],
);
const NAMESPACES: Values = (&["a", "b", "*", "a*", "*b", "c", "*a*"], &[""]);
const ACCOUNTS: Values = (&["x", "y", "a/x", "b/y", "c/x"], &["", "a/*", "a/b/c", "*"]);
const RANGES: Values = (
    &[
        "10.0.0.1",
        "10.0.0.0/24",
        "10.0.0.9/8",
        "0.0.0.0/0",
        "::/0",
        "2001:db8::/32",
        "::ffff:10.0.0.1",
        "::ffff:10.1.0.0/112",
    ],
    &["", "10.0.0.0/33", "x", "::ffff:10.0.0.0/90", "10.0.0.0/+8"],
);
const PORTS: Values = (&["80", "81", "443", "080", "1"], &["", "0", "65536", "http", "80-81", "+80"]);
