//! PeerAuthentications: what they ask for, and which of them has effect.

use rstest::rstest;
use serde_json::Value;
use weir_resources::Meta;

use super::{ROOT, json, labels, line, peer_key, policy};
use crate::Config;
use crate::policy::Policies;
use crate::policy::mode::Mode;
use crate::policy::peer_authentication::{self, Level};

/// A spec, in a namespace that is not the root, as `level: mode; ports`, and the fields that are wrong.
#[rstest]
#[case::nothing("{}", "namespace: unset", "")]
#[case::null("null", "namespace: unset", "")]
#[case::strict(r#"{"mtls": {"mode": "STRICT"}}"#, "namespace: strict", "")]
#[case::permissive(r#"{"mtls": {"mode": "PERMISSIVE"}}"#, "namespace: permissive", "")]
#[case::disable(r#"{"mtls": {"mode": "DISABLE"}}"#, "namespace: permissive", "")]
#[case::unset(r#"{"mtls": {"mode": "UNSET"}}"#, "namespace: unset", "")]
#[case::no_mode(r#"{"mtls": {}}"#, "namespace: unset", "")]
#[case::empty_selector(r#"{"selector": {}, "mtls": {"mode": "STRICT"}}"#, "namespace: strict", "")]
#[case::no_labels(
    r#"{"selector": {"matchLabels": {}}, "mtls": {"mode": "STRICT"}}"#,
    "namespace: strict",
    ""
)]
#[case::selected(r#"{"selector": {"matchLabels": {"a": "b"}}}"#, "a=b: unset", "")]
#[case::ports(
    r#"{"selector": {"matchLabels": {"a": "b"}}, "mtls": {"mode": "STRICT"},
        "portLevelMtls": {"80": {"mode": "PERMISSIVE"}, "81": {"mode": "DISABLE"}, "82": {}, "443": {"mode": "STRICT"}}}"#,
    "a=b: strict; 80 permissive; 81 permissive; 82 unset; 443 strict", ""
)]
#[case::no_ports(r#"{"portLevelMtls": {}, "mtls": {"mode": "PERMISSIVE"}}"#, "namespace: permissive", "")]
// A mode that is none is mTLS.
#[case::lower(r#"{"mtls": {"mode": "permissive"}}"#, "namespace: strict", "spec.mtls.mode")]
#[case::other(r#"{"mtls": {"mode": "MUTUAL"}}"#, "namespace: strict", "spec.mtls.mode")]
#[case::empty(r#"{"mtls": {"mode": ""}}"#, "namespace: strict", "spec.mtls.mode")]
#[case::number(r#"{"mtls": {"mode": 2}}"#, "namespace: strict", "spec.mtls.mode")]
#[case::mode_null(r#"{"mtls": {"mode": null}}"#, "namespace: strict", "spec.mtls.mode")]
#[case::text(r#"{"mtls": "PERMISSIVE"}"#, "namespace: strict", "spec.mtls")]
#[case::mtls_null(r#"{"mtls": null}"#, "namespace: strict", "spec.mtls")]
#[case::misspelt_mode(r#"{"mtls": {"mod": "PERMISSIVE"}}"#, "namespace: strict", "spec.mtls.mod")]
#[case::beside_mode(r#"{"mtls": {"mode": "PERMISSIVE", "x": 1}}"#, "namespace: strict", "spec.mtls.x")]
// Ports.
#[case::port_misspelt_mode(
    r#"{"selector": {"matchLabels": {"a": "b"}}, "portLevelMtls": {"80": {"mode": "x"}}}"#,
    "a=b: unset; 80 strict",
    r#"spec.portLevelMtls.80.mode"#
)]
#[case::port_text(
    r#"{"selector": {"matchLabels": {"a": "b"}}, "portLevelMtls": {"80": "PERMISSIVE"}}"#,
    "a=b: unset; 80 strict",
    r#"spec.portLevelMtls.80"#
)]
#[case::no_port_permissive(
    r#"{"selector": {"matchLabels": {"a": "b"}}, "mtls": {"mode": "STRICT"},
        "portLevelMtls": {"http": {"mode": "PERMISSIVE"}, "81": {"mode": "PERMISSIVE"}}}"#,
    "a=b: strict; 81 permissive",
    "spec.portLevelMtls.http"
)]
#[case::no_port_strict(
    r#"{"selector": {"matchLabels": {"a": "b"}}, "mtls": {"mode": "PERMISSIVE"},
        "portLevelMtls": {"http": {"mode": "STRICT"}, "81": {"mode": "PERMISSIVE"}}}"#,
    "a=b: strict",
    "spec.portLevelMtls.http"
)]
#[case::port_zero(
    r#"{"selector": {"matchLabels": {"a": "b"}}, "portLevelMtls": {"0": {"mode": "STRICT"}}}"#,
    "a=b: strict",
    "spec.portLevelMtls.0"
)]
#[case::port_high(
    r#"{"selector": {"matchLabels": {"a": "b"}}, "portLevelMtls": {"65536": {"mode": "PERMISSIVE"}}}"#,
    "a=b: unset",
    "spec.portLevelMtls.65536"
)]
#[case::port_twice(
    r#"{"selector": {"matchLabels": {"a": "b"}}, "portLevelMtls": {"080": {"mode": "STRICT"}, "80": {"mode": "PERMISSIVE"}}}"#,
    "a=b: unset; 80 strict", ""
)]
#[case::ports_list(
    r#"{"selector": {"matchLabels": {"a": "b"}}, "mtls": {"mode": "PERMISSIVE"}, "portLevelMtls": []}"#,
    "a=b: strict",
    "spec.portLevelMtls"
)]
#[case::ports_null(
    r#"{"selector": {"matchLabels": {"a": "b"}}, "portLevelMtls": null}"#,
    "a=b: strict",
    "spec.portLevelMtls"
)]
// Ports need a workload. What must be strict is, of all ports.
#[case::ports_of_all(
    r#"{"mtls": {"mode": "PERMISSIVE"}, "portLevelMtls": {"80": {"mode": "STRICT"}}}"#,
    "namespace: strict",
    "spec.portLevelMtls"
)]
#[case::ports_of_all_permissive(
    r#"{"mtls": {"mode": "STRICT"}, "portLevelMtls": {"80": {"mode": "PERMISSIVE"}}}"#,
    "namespace: strict",
    "spec.portLevelMtls"
)]
#[case::ports_of_all_harmless(
    r#"{"mtls": {"mode": "PERMISSIVE"}, "portLevelMtls": {"80": {"mode": "PERMISSIVE"}}}"#,
    "namespace: permissive",
    "spec.portLevelMtls"
)]
#[case::ports_of_empty_selector(
    r#"{"selector": {}, "portLevelMtls": {"80": {"mode": "STRICT"}}}"#,
    "namespace: strict",
    "spec.portLevelMtls"
)]
// A selector that cannot be read may select anybody.
#[case::selector_text(r#"{"selector": "a", "mtls": {"mode": "STRICT"}}"#, "forced: strict", "spec.selector")]
#[case::selector_null(r#"{"selector": null, "mtls": {"mode": "STRICT"}}"#, "forced: strict", "spec.selector")]
#[case::selector_permissive(
    r#"{"selector": 1, "mtls": {"mode": "PERMISSIVE"}}"#,
    "nobody: permissive",
    "spec.selector"
)]
#[case::selector_port(
    r#"{"selector": {"matchLabels": {"a": 1}}, "portLevelMtls": {"80": {"mode": "STRICT"}}}"#,
    "forced: unset; 80 strict",
    "spec.selector.matchLabels.a"
)]
#[case::wildcard(
    r#"{"selector": {"matchLabels": {"a": "*"}}, "mtls": {"mode": "STRICT"}}"#,
    "forced: strict",
    "spec.selector.matchLabels.a"
)]
// A field that nobody knows may be any of the others, misspelt.
#[case::misspelt_mtls(r#"{"mTLS": {"mode": "PERMISSIVE"}}"#, "forced: strict", "spec.mTLS")]
#[case::misspelt_selector(
    r#"{"selektor": {}, "mtls": {"mode": "PERMISSIVE"}}"#,
    "forced: strict",
    "spec.selektor"
)]
#[case::misspelt_ports(
    r#"{"selector": {"matchLabels": {"a": "b"}}, "mtls": {"mode": "PERMISSIVE"}, "portLevelMTLS": {}}"#,
    "a=b: strict",
    "spec.portLevelMTLS"
)]
#[case::spec_text(r#""STRICT""#, "forced: strict", "spec")]
#[case::spec_list("[]", "forced: strict", "spec")]
fn a_spec(#[case] spec: &str, #[case] asks: &str, #[case] wrong: &str) {
    let read = peer_authentication::read(&policy("shop", "p", json(spec)), &Config::default());
    let level = match &read.level {
        Level::Namespace => "namespace".to_owned(),
        Level::Forced => "forced".to_owned(),
        Level::Nobody => "nobody".to_owned(),
        Level::Workloads(labels) => labels.iter().map(|(name, value)| format!("{name}={value}")).collect(),
    };
    let mode = |mode: Mode| format!("{mode:?}").to_lowercase();
    let ports: String = read.ports.iter().map(|(port, m)| format!("; {port} {}", mode(*m))).collect();
    assert_eq!(format!("{level}: {}{ports}", mode(read.mode)), asks);
    let fields: Vec<&str> = read.findings.problems().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields.join(" "), wrong);
}

/// Objects as `namespace/name@created selector mode port=mode ...`, and what the workload `shop` with `a=b` names.
#[rstest]
#[case::none("", "")]
// One level.
#[case::mesh("weir-system/m STRICT", "strict")]
#[case::mesh_permissive("weir-system/m PERMISSIVE", "")]
#[case::mesh_disable("weir-system/m DISABLE", "")]
#[case::mesh_unset("weir-system/m UNSET", "")]
#[case::namespace("shop/n STRICT", "strict")]
#[case::namespace_permissive("shop/n PERMISSIVE", "")]
#[case::namespace_unset("shop/n UNSET", "")]
#[case::workload("shop/w a=b STRICT", "strict")]
#[case::workload_permissive("shop/w a=b PERMISSIVE", "")]
#[case::workload_unset("shop/w a=b UNSET", "")]
#[case::another_workload("shop/w a=c STRICT", "")]
#[case::another_namespace("other/n STRICT", "")]
#[case::another_namespaces_workload("other/w a=b STRICT", "")]
// The more special counts.
#[case::namespace_over_mesh("weir-system/m STRICT; shop/n PERMISSIVE", "")]
#[case::namespace_strict_over_mesh("weir-system/m PERMISSIVE; shop/n STRICT", "strict")]
#[case::namespace_disable_over_mesh("weir-system/m STRICT; shop/n DISABLE", "")]
#[case::workload_over_namespace("shop/n STRICT; shop/w a=b PERMISSIVE", "")]
#[case::workload_strict_over_namespace("shop/n PERMISSIVE; shop/w a=b STRICT", "strict")]
#[case::workload_over_mesh("weir-system/m STRICT; shop/w a=b PERMISSIVE", "")]
#[case::workload_strict_over_mesh("weir-system/m PERMISSIVE; shop/w a=b STRICT", "strict")]
#[case::workload_over_both("weir-system/m STRICT; shop/n STRICT; shop/w a=b DISABLE", "")]
// Unset is what the level above says.
#[case::namespace_inherits("weir-system/m STRICT; shop/n UNSET", "strict")]
#[case::workload_inherits_mesh("weir-system/m STRICT; shop/w a=b UNSET", "strict")]
#[case::workload_inherits_namespace("weir-system/m STRICT; shop/n PERMISSIVE; shop/w a=b UNSET", "")]
#[case::both_inherit("weir-system/m STRICT; shop/n UNSET; shop/w a=b UNSET", "strict")]
// The oldest of a level counts, also if it leaves it to the level above.
#[case::oldest_namespace("shop/z@1 STRICT; shop/a@2 PERMISSIVE", "strict")]
#[case::oldest_namespace_permissive("shop/z@2 STRICT; shop/a@1 PERMISSIVE", "")]
#[case::oldest_unset("weir-system/m STRICT; shop/a@1 UNSET; shop/b@2 PERMISSIVE", "strict")]
#[case::oldest_mesh("weir-system/z@1 STRICT; weir-system/a@2 PERMISSIVE", "strict")]
#[case::oldest_workload("shop/z@1 a=b STRICT; shop/a@2 a=b PERMISSIVE", "strict")]
#[case::oldest_of_selecting("shop/z@2 a=b STRICT; shop/a@1 a=c PERMISSIVE", "strict")]
#[case::same_age_by_name("shop/a@1 STRICT; shop/b@1 PERMISSIVE", "strict")]
#[case::ageless_is_youngest("shop/a PERMISSIVE; shop/b@9 STRICT", "strict")]
#[case::ageless_by_name("shop/a STRICT; shop/b PERMISSIVE", "strict")]
#[case::before_1970("shop/a@-5 STRICT; shop/b@1 PERMISSIVE", "strict")]
// In the root namespace a selector has no effect.
#[case::root_selector("weir-system/m a=b STRICT", "")]
#[case::root_selector_permissive("weir-system/m a=b PERMISSIVE; weir-system/n STRICT", "strict")]
// Ports.
#[case::strict_but_port("shop/w a=b STRICT 80=PERMISSIVE", "own shop/w")]
#[case::strict_but_disabled_port("shop/w a=b STRICT 80=DISABLE", "own shop/w")]
#[case::permissive_but_port("shop/w a=b PERMISSIVE 80=STRICT", "own shop/w")]
#[case::disable_but_port("shop/w a=b DISABLE 80=STRICT", "own shop/w")]
#[case::strict_port_alike("shop/w a=b STRICT 80=STRICT", "strict")]
#[case::strict_port_unset("shop/w a=b STRICT 80=UNSET", "strict")]
#[case::permissive_port_alike("shop/w a=b PERMISSIVE 80=DISABLE", "")]
#[case::permissive_port_unset("shop/w a=b PERMISSIVE 80=UNSET", "")]
#[case::unset_inherits_strict("shop/n STRICT; shop/w a=b UNSET 80=PERMISSIVE", "own shop/w")]
#[case::unset_inherits_strict_alike("shop/n STRICT; shop/w a=b UNSET 80=STRICT", "strict")]
#[case::unset_inherits_nothing("shop/w a=b UNSET 80=PERMISSIVE", "")]
#[case::unset_port_strict("shop/w a=b UNSET 80=STRICT", "own shop/w")]
#[case::ports_inherit_from_mesh("weir-system/m STRICT; shop/w a=b UNSET 80=PERMISSIVE", "own shop/w")]
#[case::ports_namespace_between(
    "weir-system/m STRICT; shop/n PERMISSIVE; shop/w a=b UNSET 80=PERMISSIVE",
    ""
)]
#[case::ports_of_oldest("shop/x@1 a=b STRICT; shop/w@2 a=b STRICT 80=PERMISSIVE", "strict")]
#[case::ports_of_another("shop/w a=c STRICT 80=PERMISSIVE", "")]
#[case::root_ports("weir-system/w a=b STRICT 80=PERMISSIVE", "")]
// What cannot be read.
#[case::bad_mode("shop/n oops", "strict")]
#[case::bad_mode_younger("shop/a@1 PERMISSIVE; shop/b@2 oops", "")]
#[case::bad_selector("shop/a@1 PERMISSIVE; shop/b@2 ? STRICT", "strict")]
#[case::bad_selector_over_workload("shop/w a=b PERMISSIVE 80=STRICT; shop/b ? STRICT", "strict")]
#[case::bad_selector_permissive("shop/n STRICT; shop/b ? PERMISSIVE", "strict")]
#[case::bad_selector_in_root("shop/w a=b PERMISSIVE; weir-system/b ? STRICT", "strict")]
#[case::bad_selector_elsewhere("other/b ? STRICT", "")]
fn precedence(#[case] objects: &str, #[case] expected: &str) {
    let expected: Vec<String> = match expected {
        "" => Vec::new(),
        "strict" => vec![format!("{ROOT}/istio_converted_static_strict")],
        own => vec![own.replace("own shop/", "shop/converted_peer_authentication_")],
    };
    let objects: Vec<&str> = objects.split("; ").filter(|text| !text.is_empty()).collect();
    // The order in which they come does not matter.
    for turn in 0..objects.len().max(1) {
        let mut policies = Policies::new(&Config::default());
        for object in objects.iter().cycle().skip(turn).take(objects.len()) {
            apply(&mut policies, object);
        }
        let keys: Vec<String> =
            policies.keys_for("shop", &labels("a=b,c=d")).iter().map(ToString::to_string).collect();
        assert_eq!(keys, expected, "beginning with {turn}");
        // A key that a workload names is published.
        let published = policies.take_changed();
        for key in keys {
            assert!(published.iter().any(|(name, policy)| **name == *key && policy.is_some()), "{key}");
        }
    }
}

fn apply(policies: &mut Policies, object: &str) {
    let mut words = object.split(' ');
    let (name, created) = match words.next().unwrap().split_once('@') {
        Some((name, created)) => (name, Some(created.parse().unwrap())),
        None => (object.split(' ').next().unwrap(), None),
    };
    let (namespace, name) = name.split_once('/').unwrap();
    let mut spec = serde_json::json!({});
    for word in words {
        match word.split_once('=') {
            None if word == "?" => spec["selector"] = Value::from("?"),
            None => spec["mtls"] = serde_json::json!({"mode": word}),
            Some((port, mode)) if port.parse::<u16>().is_ok() => {
                spec["portLevelMtls"][port] = serde_json::json!({"mode": mode});
            }
            Some((label, value)) => spec["selector"]["matchLabels"][label] = Value::from(value),
        }
    }
    let mut policy = policy(namespace, name, spec);
    policy.meta = Meta { created, ..policy.meta };
    policies.apply(Some(&policy), &peer_key(namespace, name));
}

/// What is published for objects.
#[rstest]
#[case::permissive(
    "shop/w PERMISSIVE",
    "weir-system/istio_converted_static_strict DENY to selected: !principal any"
)]
#[case::strict_ports(
    "shop/w a=b STRICT 81=DISABLE 80=PERMISSIVE 443=STRICT",
    "shop/converted_peer_authentication_w DENY to selected: !principal any and !port 80 and !port 81"
)]
#[case::permissive_ports(
    "shop/w a=b PERMISSIVE 81=STRICT 80=STRICT 443=PERMISSIVE",
    "shop/converted_peer_authentication_w DENY to selected: port 80 !principal any ; port 81 !principal any"
)]
fn what_is_published(#[case] object: &str, #[case] expected: &str) {
    let mut policies = Policies::new(&Config::default());
    apply(&mut policies, object);
    let lines: Vec<String> = policies
        .take_changed()
        .iter()
        .map(|(key, policy)| {
            let sent = policy.as_ref().unwrap();
            assert_eq!(**key, format!("{}/{}", sent.namespace, sent.name));
            format!("{key} {}", line(Some(sent)))
        })
        .collect();
    assert!(lines.iter().any(|line| line == expected), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("weir-system/istio_converted_static_strict")));
}
