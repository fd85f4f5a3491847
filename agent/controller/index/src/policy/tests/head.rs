//! Everything of a policy but its rules: action, selector, targets, namespace.

use rstest::rstest;
use weir_resources::Meta;

use super::{ROOT, convert, fields, json, line, policy};
use crate::Config;
use crate::policy::authorization::{self, Place};

const RULE: &str = r#""rules": [{"to": [{"operation": {"ports": ["80"]}}]}]"#;

/// A spec (`RULE` stands for a rule about port 80), what is sent for it, and the fields that are wrong.
#[rstest]
#[case::rule("{RULE}", "ALLOW to shop: port 80", "")]
#[case::allow(r#"{"action": "ALLOW", RULE}"#, "ALLOW to shop: port 80", "")]
#[case::deny(r#"{"action": "DENY", RULE}"#, "DENY to shop: port 80", "")]
// Nothing is allowed.
#[case::nothing("{}", "ALLOW to shop: never", "")]
#[case::null("null", "ALLOW to shop: never", "")]
#[case::no_rules(r#"{"rules": []}"#, "ALLOW to shop: never", "")]
#[case::allow_no_rules(r#"{"action": "ALLOW"}"#, "ALLOW to shop: never", "")]
#[case::allow_all(r#"{"rules": [{}]}"#, "ALLOW to shop: always", "")]
#[case::deny_all(r#"{"action": "DENY", "rules": [{}]}"#, "DENY to shop: always", "")]
#[case::deny_no_rules(r#"{"action": "DENY"}"#, "DENY to shop: never", "spec.rules")]
#[case::deny_empty_rules(r#"{"action": "DENY", "rules": []}"#, "DENY to shop: never", "spec.rules")]
// What a node proxy cannot do.
#[case::audit(r#"{"action": "AUDIT", RULE}"#, "not sent", "spec.action")]
#[case::custom(
    r#"{"action": "CUSTOM", "provider": {"name": "x"}, RULE}"#,
    "DENY to shop: port 80",
    "spec.action"
)]
#[case::custom_nobody(r#"{"action": "CUSTOM", RULE}"#, "DENY to shop: port 80", "spec.action")]
#[case::custom_selected(
    r#"{"action": "CUSTOM", "selector": {"matchLabels": {"a": "b"}}, RULE}"#,
    "DENY to selected: port 80",
    "spec.action"
)]
#[case::custom_requests(
    r#"{"action": "CUSTOM", "rules": [{"to": [{"operation": {"paths": ["/a"]}}]}]}"#,
    "DENY to shop: always",
    "spec.rules[0].to[0].operation.paths spec.action"
)]
// An action that is none.
#[case::lower(r#"{"action": "deny", RULE}"#, "DENY to shop: always", "spec.action")]
#[case::misspelt(r#"{"action": "ALOW", RULE}"#, "DENY to shop: always", "spec.action")]
#[case::empty(r#"{"action": "", RULE}"#, "DENY to shop: always", "spec.action")]
#[case::blank(r#"{"action": "ALLOW ", RULE}"#, "DENY to shop: always", "spec.action")]
#[case::number(r#"{"action": 0, RULE}"#, "DENY to shop: always", "spec.action")]
#[case::null_action(r#"{"action": null, RULE}"#, "DENY to shop: always", "spec.action")]
#[case::list_action(r#"{"action": ["DENY"], RULE}"#, "DENY to shop: always", "spec.action")]
#[case::unknown_selected(
    r#"{"action": "deny", "selector": {"matchLabels": {"a": "b"}}, RULE}"#,
    "DENY to selected: always",
    "spec.action"
)]
// Provider without CUSTOM: one of them is not meant.
#[case::provider(r#"{"provider": {"name": "x"}, RULE}"#, "DENY to shop: always", "spec.provider")]
#[case::allow_provider(
    r#"{"action": "ALLOW", "provider": {"name": "x"}, RULE}"#,
    "ALLOW to shop: never",
    "spec.provider"
)]
#[case::deny_provider(
    r#"{"action": "DENY", "provider": {"name": "x"}, RULE}"#,
    "DENY to shop: always",
    "spec.provider"
)]
// Selectors.
#[case::selected(r#"{"selector": {"matchLabels": {"a": "b"}}, RULE}"#, "ALLOW to selected: port 80", "")]
#[case::selects_all(r#"{"selector": {}, RULE}"#, "ALLOW to selected: port 80", "")]
#[case::no_labels(r#"{"selector": {"matchLabels": {}}, RULE}"#, "ALLOW to selected: port 80", "")]
#[case::empty_value(r#"{"selector": {"matchLabels": {"a": ""}}, RULE}"#, "ALLOW to selected: port 80", "")]
#[case::selector_null(r#"{"selector": null, RULE}"#, "ALLOW to shop: never", "spec.selector")]
#[case::selector_text(r#"{"selector": "a=b", RULE}"#, "ALLOW to shop: never", "spec.selector")]
#[case::selector_list(r#"{"selector": [], RULE}"#, "ALLOW to shop: never", "spec.selector")]
#[case::labels_beside(r#"{"selector": {"a": "b"}, RULE}"#, "ALLOW to shop: never", "spec.selector.a")]
#[case::expressions(
    r#"{"selector": {"matchLabels": {"a": "b"}, "matchExpressions": []}, RULE}"#,
    "ALLOW to shop: never",
    "spec.selector.matchExpressions"
)]
#[case::labels_null(
    r#"{"selector": {"matchLabels": null}, RULE}"#,
    "ALLOW to shop: never",
    "spec.selector.matchLabels"
)]
#[case::labels_list(
    r#"{"selector": {"matchLabels": ["a"]}, RULE}"#,
    "ALLOW to shop: never",
    "spec.selector.matchLabels"
)]
#[case::label_number(
    r#"{"selector": {"matchLabels": {"a": 1}}, RULE}"#,
    "ALLOW to shop: never",
    "spec.selector.matchLabels.a"
)]
#[case::label_null(
    r#"{"selector": {"matchLabels": {"x/y": null}}, RULE}"#,
    "ALLOW to shop: never",
    r#"spec.selector.matchLabels["x/y"]"#
)]
#[case::wildcard(
    r#"{"selector": {"matchLabels": {"a": "b*"}}, RULE}"#,
    "ALLOW to shop: never",
    "spec.selector.matchLabels.a"
)]
#[case::wildcard_name(
    r#"{"selector": {"matchLabels": {"*": "b"}}, RULE}"#,
    "ALLOW to shop: never",
    r#"spec.selector.matchLabels["*"]"#
)]
#[case::nameless(
    r#"{"selector": {"matchLabels": {"": "b"}}, RULE}"#,
    "ALLOW to shop: never",
    r#"spec.selector.matchLabels[""]"#
)]
#[case::deny_bad_selector(
    r#"{"action": "DENY", "selector": {"matchLabels": {"a": 1}}, RULE}"#,
    "DENY to shop: always",
    "spec.selector.matchLabels.a"
)]
#[case::audit_bad_selector(
    r#"{"action": "AUDIT", "selector": 1, RULE}"#,
    "not sent",
    "spec.selector spec.action"
)]
// Targets.
#[case::target(
    r#"{"targetRef": {"kind": "Gateway", "name": "x", "group": "g"}, RULE}"#,
    "not sent",
    "spec.targetRef.group"
)]
#[case::targets(r#"{"targetRefs": [{"kind": "Service", "name": "x", "group": ""}], RULE}"#, "not sent", "")]
#[case::targets_deny_requests(
    r#"{"action": "DENY", "targetRefs": [{"kind": "Service", "name": "x"}], "rules": [{"to": [{"operation":
    {"methods": ["GET"], "paths": ["/a"]}}], "from": [{"source": {"remoteIpBlocks": ["10.0.0.0/8"]}}],
    "when": [{"key": "request.headers[a]", "values": ["b"]}]}]}"#,
    "not sent",
    ""
)]
#[case::targets_bad_rule(
    r#"{"targetRefs": [{"kind": "Service", "name": "x"}], "rules": [{"to": [{"operation": {"ports": ["x"]}}]}]}"#,
    "not sent", "spec.rules[0].to[0].operation.ports[0]"
)]
#[case::no_targets(r#"{"targetRefs": [], RULE}"#, "ALLOW to shop: port 80", "")]
#[case::nameless_target(
    r#"{"targetRefs": [{"kind": "Service"}], RULE}"#,
    "not sent",
    "spec.targetRefs[0].name"
)]
#[case::both_targets(
    r#"{"targetRef": {"kind": "Service", "name": "x"}, "targetRefs": [{"kind": "Service", "name": "x"}], RULE}"#,
    "not sent",
    "spec.targetRefs"
)]
#[case::targets_null(r#"{"targetRefs": null, RULE}"#, "DENY to shop: always", "spec.targetRefs")]
#[case::targets_text(r#"{"targetRefs": "x", RULE}"#, "DENY to shop: always", "spec.targetRefs")]
#[case::target_text(
    r#"{"action": "ALLOW", "targetRef": "x", RULE}"#,
    "ALLOW to shop: never",
    "spec.targetRef"
)]
#[case::selector_and_targets(
    r#"{"selector": {"matchLabels": {"a": "b"}}, "targetRefs": [{"kind": "Service", "name": "x"}], RULE}"#,
    "ALLOW to shop: never",
    "spec.selector"
)]
#[case::deny_selector_and_target(
    r#"{"action": "DENY", "selector": {}, "targetRef": {"kind": "Service", "name": "x"}, RULE}"#,
    "DENY to shop: always",
    "spec.selector"
)]
// Fields that nobody knows may be any of the others, misspelt.
#[case::misspelt_rules(r#"{"rule": [{}]}"#, "DENY to shop: always", "spec.rule")]
#[case::misspelt_action(r#"{"actoin": "DENY", RULE}"#, "DENY to shop: always", "spec.actoin")]
#[case::allow_misspelt(
    r#"{"action": "ALLOW", "selektor": {}, RULE}"#,
    "ALLOW to shop: never",
    "spec.selektor"
)]
#[case::deny_misspelt(r#"{"action": "DENY", "selektor": {}, RULE}"#, "DENY to shop: always", "spec.selektor")]
#[case::selected_misspelt(
    r#"{"action": "ALLOW", "selector": {"matchLabels": {"a": "b"}}, "x": 1, RULE}"#,
    "ALLOW to selected: never",
    "spec.x"
)]
// Rules and specs of other types.
#[case::rules_object(r#"{"rules": {}}"#, "ALLOW to shop: never", "spec.rules")]
#[case::rules_null(r#"{"rules": null}"#, "ALLOW to shop: never", "spec.rules")]
#[case::deny_rules_null(r#"{"action": "DENY", "rules": null}"#, "DENY to shop: always", "spec.rules")]
#[case::deny_rules_text(r#"{"action": "DENY", "rules": "all"}"#, "DENY to shop: always", "spec.rules")]
#[case::spec_text(r#""x""#, "DENY to shop: always", "spec")]
#[case::spec_list("[]", "DENY to shop: always", "spec")]
#[case::spec_number("1", "DENY to shop: always", "spec")]
fn a_spec(#[case] spec: &str, #[case] sent: &str, #[case] wrong: &str) {
    let spec = json(&spec.replace("RULE", RULE));
    let converted = convert(spec);
    assert_eq!(line(converted.sent.as_ref()), sent);
    assert_eq!(fields(&converted).join(" "), wrong);
}

#[rstest]
#[case("{}", "ALLOW to all: never", "ALLOW to shop: never")]
#[case(r#"{"action": "DENY", "rules": [{}]}"#, "DENY to all: always", "DENY to shop: always")]
#[case(
    r#"{"selector": {"matchLabels": {"a": "b"}}}"#,
    "ALLOW to selected: never",
    "ALLOW to selected: never"
)]
#[case(r#"{"selector": {"matchLabels": {"a": 1}}}"#, "ALLOW to all: never", "ALLOW to shop: never")]
fn the_root_namespace_is_the_mesh(#[case] spec: &str, #[case] root: &str, #[case] other: &str) {
    let config = Config::default();
    for (namespace, expected) in [(ROOT, root), ("shop", other)] {
        let converted = authorization::convert(&policy(namespace, "p", json(spec)), &config);
        let sent = converted.sent.unwrap();
        assert_eq!(line(Some(&sent)), expected);
        assert_eq!((&*sent.namespace, &*sent.name), (namespace, "p"));
    }
}

/// The account of a policy in the root namespace is one of the root namespace.
#[test]
fn accounts_are_of_the_policys_namespace() {
    let spec = json(r#"{"rules": [{"from": [{"source": {"serviceAccounts": ["a"]}}]}]}"#);
    let converted = authorization::convert(&policy(ROOT, "p", spec), &Config::default());
    assert_eq!(line(converted.sent.as_ref()), "ALLOW to all: sa weir-system/a");
}

#[rstest]
#[case::no("false", false, "DENY to shop: port 80")]
#[case::yes("true", false, "not sent")]
#[case::yes_marked("true", true, "DENY to shop dry: port 80")]
#[case::capital("True", false, "not sent")]
#[case::number("1", false, "not sent")]
// What is not plainly true is enforced.
#[case::word("yes", false, "DENY to shop: port 80")]
#[case::space("true ", true, "DENY to shop: port 80")]
#[case::empty("", true, "DENY to shop: port 80")]
fn a_dry_run(#[case] annotation: &str, #[case] enabled: bool, #[case] sent: &str) {
    let spec = json(&format!(r#"{{"action": "DENY", {RULE}}}"#));
    let annotations = [("istio.io/dry-run", annotation)].into_iter().collect();
    let policy = super::Policy { meta: Meta { annotations, ..policy("shop", "p", spec.clone()).meta }, spec };
    let converted = authorization::convert(&policy, &Config { dry_run: enabled, ..Config::default() });
    assert_eq!(line(converted.sent.as_ref()), sent);
    let place = if sent == "not sent" { Place::Nobody } else { Place::Nodes };
    assert_eq!(converted.place, place);
    assert!(!converted.findings.refuse());
}
