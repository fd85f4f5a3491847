//! Rules of several parts, and parts that are broken.

use rstest::rstest;

use super::{convert, fields, json, rules};

/// A rule, what it becomes where it allows, and where it denies; and the fields that are wrong with it.
#[rstest]
// What is nothing asks nothing.
#[case::nothing("{}", "always", "always", "")]
#[case::no_conditions(r#"{"when": []}"#, "always", "always", "")]
// Parts and entries that are whole.
#[case::from(r#"{"from": [{"source": {"namespaces": ["a"]}}]}"#, "ns =a", "ns =a", "")]
#[case::from_or(
    r#"{"from": [{"source": {"namespaces": ["a"]}}, {"source": {"principals": ["b", "*"]}}]}"#,
    "(ns =a or principal =b|any)",
    "(ns =a or principal =b|any)",
    ""
)]
#[case::source_and(
    r#"{"from": [{"source": {"namespaces": ["a"], "notIpBlocks": ["10.0.0.1"], "ipBlocks": ["10.0.0.0/8"]}}]}"#,
    "ns =a from 10.0.0.0/8 !from 10.0.0.1/32", "ns =a from 10.0.0.0/8 !from 10.0.0.1/32", ""
)]
#[case::not_only(
    r#"{"from": [{"source": {"notNamespaces": ["a"], "notPrincipals": ["b"]}}]}"#,
    "!principal =b !ns =a",
    "!principal =b !ns =a",
    ""
)]
#[case::to(r#"{"to": [{"operation": {"ports": ["80", "81"]}}]}"#, "port 80|81", "port 80|81", "")]
#[case::to_or(
    r#"{"to": [{"operation": {"ports": ["80"]}}, {"operation": {"notPorts": ["81", "82"]}}]}"#,
    "(port 80 or !port 81|82)",
    "(port 80 or !port 81|82)",
    ""
)]
#[case::to_before_from(
    r#"{"from": [{"source": {"namespaces": ["a"]}}], "to": [{"operation": {"ports": ["80"]}}]}"#,
    "port 80 and ns =a",
    "port 80 and ns =a",
    ""
)]
#[case::when(
    r#"{"when": [{"key": "source.ip", "values": ["10.0.0.1"], "notValues": ["10.0.0.2"]}]}"#,
    "from 10.0.0.1/32 !from 10.0.0.2/32",
    "from 10.0.0.1/32 !from 10.0.0.2/32",
    ""
)]
#[case::when_and(
    r#"{"when": [{"key": "destination.port", "values": ["80"]}, {"key": "source.namespace", "notValues": ["a"]}]}"#,
    "port 80 and !ns =a", "port 80 and !ns =a", ""
)]
#[case::when_twice_the_key(
    r#"{"when": [{"key": "destination.port", "values": ["80"]}, {"key": "destination.port", "values": ["81"]}]}"#,
    "port 80 and port 81", "port 80 and port 81", ""
)]
#[case::all_in_order(
    r#"{"when": [{"key": "source.principal", "values": ["td/*"]}, {"key": "destination.ip", "values": ["::1"]}],
        "from": [{"source": {"serviceAccounts": ["x", "y/z"]}}], "to": [{"operation": {"notPorts": ["80"]}}]}"#,
    "!port 80 and sa shop/x|y/z and principal td/.. and at ::1/128",
    "!port 80 and sa shop/x|y/z and principal td/.. and at ::1/128", ""
)]
#[case::empty_list_beside(
    r#"{"from": [{"source": {"principals": [], "namespaces": ["a"]}}]}"#,
    "ns =a",
    "ns =a",
    ""
)]
#[case::empty_requests_beside(
    r#"{"to": [{"operation": {"methods": [], "hosts": [], "ports": ["80"]}}]}"#,
    "port 80",
    "port 80",
    ""
)]
#[case::empty_not_values(
    r#"{"when": [{"key": "source.ip", "values": ["10.0.0.1"], "notValues": []}]}"#,
    "from 10.0.0.1/32",
    "from 10.0.0.1/32",
    ""
)]
#[case::accounts_and_ranges(
    r#"{"from": [{"source": {"serviceAccounts": ["x"], "ipBlocks": ["10.0.0.1"]}}]}"#,
    "sa shop/x from 10.0.0.1/32",
    "sa shop/x from 10.0.0.1/32",
    ""
)]
#[case::accounts_or_principals(
    r#"{"from": [{"source": {"serviceAccounts": ["x"]}}, {"source": {"principals": ["y"]}}]}"#,
    "(sa shop/x or principal =y)",
    "(sa shop/x or principal =y)",
    ""
)]
// What is about requests.
#[case::mixed_operation(
    r#"{"to": [{"operation": {"ports": ["80"], "methods": ["GET"]}}]}"#,
    "never",
    "port 80",
    "spec.rules[0].to[0].operation.methods"
)]
#[case::requests_or_port(
    r#"{"to": [{"operation": {"methods": ["GET"]}}, {"operation": {"ports": ["80"]}}]}"#,
    "never",
    "always",
    "spec.rules[0].to[0].operation.methods"
)]
#[case::requests_and_from(
    r#"{"to": [{"operation": {"paths": ["/a"], "hosts": ["b"]}}], "from": [{"source": {"namespaces": ["a"]}}]}"#,
    "never", "ns =a", "spec.rules[0].to[0].operation.hosts spec.rules[0].to[0].operation.paths"
)]
#[case::mixed_source(
    r#"{"from": [{"source": {"requestPrincipals": ["*"], "namespaces": ["a"]}}, {"source": {"namespaces": ["b"]}}]}"#,
    "never", "(ns =a or ns =b)", "spec.rules[0].from[0].source.requestPrincipals"
)]
#[case::condition_of_requests(
    r#"{"when": [{"key": "request.headers[a]", "values": ["b"]}, {"key": "destination.port", "values": ["80"]}]}"#,
    "never", "port 80", "spec.rules[0].when[0].key"
)]
// Lists and entries that say nothing.
#[case::from_nobody(r#"{"from": []}"#, "never", "always", "spec.rules[0].from")]
#[case::to_nothing(r#"{"to": []}"#, "never", "always", "spec.rules[0].to")]
#[case::from_nobody_to_port(
    r#"{"from": [], "to": [{"operation": {"ports": ["80"]}}]}"#,
    "never",
    "port 80",
    "spec.rules[0].from"
)]
#[case::empty_entry(r#"{"from": [{}]}"#, "never", "always", "spec.rules[0].from[0].source")]
#[case::empty_source(r#"{"from": [{"source": {}}]}"#, "never", "always", "spec.rules[0].from[0].source")]
#[case::empty_operation(r#"{"to": [{"operation": {}}]}"#, "never", "always", "spec.rules[0].to[0].operation")]
#[case::empty_beside_good(
    r#"{"to": [{"operation": {"ports": ["80"]}}, {"operation": {}}]}"#,
    "never",
    "always",
    "spec.rules[0].to[1].operation"
)]
#[case::empty_lists_only(
    r#"{"from": [{"source": {"principals": [], "ipBlocks": []}}]}"#,
    "never",
    "always",
    "spec.rules[0].from[0].source"
)]
#[case::empty_condition(
    r#"{"when": [{}]}"#,
    "never",
    "always",
    "spec.rules[0].when[0].key spec.rules[0].when[0]"
)]
#[case::condition_without_values(
    r#"{"when": [{"key": "source.ip"}]}"#,
    "never",
    "always",
    "spec.rules[0].when[0]"
)]
#[case::condition_with_empty_values(
    r#"{"when": [{"key": "source.ip", "values": [], "notValues": []}]}"#,
    "never",
    "always",
    "spec.rules[0].when[0]"
)]
#[case::condition_without_key(
    r#"{"when": [{"values": ["10.0.0.1"]}]}"#,
    "never",
    "always",
    "spec.rules[0].when[0].key"
)]
// Fields that nobody knows.
#[case::misspelt_from(
    r#"{"form": [{"source": {"namespaces": ["a"]}}], "to": [{"operation": {"ports": ["80"]}}]}"#,
    "never",
    "port 80",
    "spec.rules[0].form"
)]
#[case::misspelt_source(
    r#"{"from": [{"sources": {"namespaces": ["a"]}}]}"#,
    "never",
    "always",
    "spec.rules[0].from[0].sources spec.rules[0].from[0].source"
)]
#[case::beside_source(
    r#"{"from": [{"source": {"namespaces": ["a"]}, "operation": {"ports": ["80"]}}]}"#,
    "never",
    "ns =a",
    "spec.rules[0].from[0].operation"
)]
#[case::misspelt_list(
    r#"{"from": [{"source": {"namespace": ["a"], "ipBlocks": ["10.0.0.1"]}}]}"#,
    "never",
    "from 10.0.0.1/32",
    "spec.rules[0].from[0].source.namespace"
)]
#[case::snake(
    r#"{"from": [{"source": {"ip_blocks": ["10.0.0.1"]}}]}"#,
    "never",
    "always",
    "spec.rules[0].from[0].source.ip_blocks"
)]
#[case::from_in_to(
    r#"{"to": [{"operation": {"namespaces": ["a"]}}]}"#,
    "never",
    "always",
    "spec.rules[0].to[0].operation.namespaces"
)]
#[case::misspelt_values(
    r#"{"when": [{"key": "source.ip", "value": ["10.0.0.1"]}]}"#,
    "never",
    "always",
    "spec.rules[0].when[0].value spec.rules[0].when[0]"
)]
#[case::beside_values(
    r#"{"when": [{"key": "source.ip", "values": ["10.0.0.1"], "not_values": ["10.0.0.2"]}]}"#,
    "never",
    "from 10.0.0.1/32",
    "spec.rules[0].when[0].not_values"
)]
// Types that are none of these.
#[case::rule_null("null", "never", "always", "spec.rules[0]")]
#[case::rule_text(r#""all""#, "never", "always", "spec.rules[0]")]
#[case::rule_list("[]", "never", "always", "spec.rules[0]")]
#[case::from_null(r#"{"from": null}"#, "never", "always", "spec.rules[0].from")]
#[case::from_object(
    r#"{"from": {"source": {"namespaces": ["a"]}}}"#,
    "never",
    "always",
    "spec.rules[0].from"
)]
#[case::to_text(
    r#"{"to": "80", "from": [{"source": {"namespaces": ["a"]}}]}"#,
    "never",
    "ns =a",
    "spec.rules[0].to"
)]
#[case::when_object(r#"{"when": {"key": "source.ip"}}"#, "never", "always", "spec.rules[0].when")]
#[case::entry_null(r#"{"from": [null]}"#, "never", "always", "spec.rules[0].from[0]")]
#[case::entry_text(
    r#"{"from": [{"source": {"namespaces": ["a"]}}, "b"]}"#,
    "never",
    "always",
    "spec.rules[0].from[1]"
)]
#[case::source_null(r#"{"from": [{"source": null}]}"#, "never", "always", "spec.rules[0].from[0].source")]
#[case::source_list(r#"{"from": [{"source": ["a"]}]}"#, "never", "always", "spec.rules[0].from[0].source")]
#[case::operation_number(
    r#"{"to": [{"operation": 80}]}"#,
    "never",
    "always",
    "spec.rules[0].to[0].operation"
)]
#[case::condition_null(
    r#"{"when": [null, {"key": "destination.port", "values": ["80"]}]}"#,
    "never",
    "port 80",
    "spec.rules[0].when[0]"
)]
#[case::key_number(
    r#"{"when": [{"key": 1, "values": ["a"]}]}"#,
    "never",
    "always",
    "spec.rules[0].when[0].key"
)]
#[case::ports_number(
    r#"{"to": [{"operation": {"ports": 80}}]}"#,
    "never",
    "always",
    "spec.rules[0].to[0].operation.ports"
)]
#[case::requests_number(
    r#"{"to": [{"operation": {"methods": "GET", "ports": ["80"]}}]}"#,
    "never",
    "port 80",
    "spec.rules[0].to[0].operation.methods"
)]
// One bad value takes its list, not what is beside it.
#[case::bad_not_value(
    r#"{"when": [{"key": "source.ip", "values": ["10.0.0.0/8"], "notValues": ["10.0.0.1", "x"]}]}"#,
    "never",
    "from 10.0.0.0/8",
    "spec.rules[0].when[0].notValues[1]"
)]
#[case::bad_value(
    r#"{"when": [{"key": "source.ip", "values": ["x"], "notValues": ["10.0.0.1"]}]}"#,
    "never",
    "!from 10.0.0.1/32",
    "spec.rules[0].when[0].values[0]"
)]
#[case::two_bad_values(
    r#"{"to": [{"operation": {"ports": ["x", "80", "y"]}}]}"#,
    "never",
    "always",
    "spec.rules[0].to[0].operation.ports[0] spec.rules[0].to[0].operation.ports[2]"
)]
#[case::bad_in_one_entry(
    r#"{"from": [{"source": {"ipBlocks": ["x"]}}, {"source": {"namespaces": ["a"]}}]}"#,
    "never",
    "always",
    "spec.rules[0].from[0].source.ipBlocks[0]"
)]
#[case::bad_in_one_entry_that_asks_more(
    r#"{"from": [{"source": {"ipBlocks": ["x"], "namespaces": ["b"]}}, {"source": {"namespaces": ["a"]}}]}"#,
    "never",
    "(ns =b or ns =a)",
    "spec.rules[0].from[0].source.ipBlocks[0]"
)]
// Two ways to name a peer.
#[case::accounts_and_principals(
    r#"{"from": [{"source": {"serviceAccounts": ["x"], "principals": ["y"]}}]}"#,
    "never",
    "always",
    "spec.rules[0].from[0].source"
)]
#[case::accounts_and_not_namespaces(
    r#"{"from": [{"source": {"notServiceAccounts": ["x"], "notNamespaces": ["y"], "ipBlocks": ["10.0.0.1"]}}]}"#,
    "never", "from 10.0.0.1/32", "spec.rules[0].from[0].source"
)]
#[case::bad_accounts_and_not_namespaces(
    r#"{"from": [{"source": {"notServiceAccounts": [""], "notNamespaces": ["y"]}}]}"#,
    "never",
    "always",
    "spec.rules[0].from[0].source.notServiceAccounts[0] spec.rules[0].from[0].source"
)]
#[case::accounts_and_empty_namespaces(
    r#"{"from": [{"source": {"serviceAccounts": ["x"], "namespaces": []}}]}"#,
    "sa shop/x",
    "sa shop/x",
    ""
)]
fn a_rule(#[case] rule: &str, #[case] allow: &str, #[case] deny: &str, #[case] wrong: &str) {
    let rule = json(rule);
    let wrong: Vec<&str> = wrong.split_whitespace().collect();
    for (action, expected) in [("ALLOW", allow), ("DENY", deny)] {
        let spec = serde_json::json!({"action": action, "rules": [rule]});
        let converted = convert(spec);
        assert_eq!(rules(converted.sent.as_ref()), expected, "{action}");
        assert_eq!(fields(&converted), wrong, "{action}");
    }
}

/// A rule that is refused leaves the others as they are.
#[test]
fn rules_stand_for_themselves() {
    let spec = r#"[{"to": [{"operation": {"ports": ["80"]}}]},
        {"to": [{"operation": {"ports": ["81"], "methods": ["GET"]}}]},
        {"from": [{"source": {"namespaces": ["a"]}}]}, {"to": [{"operation": {"ports": ["x"]}}]}]"#;
    let policy = |action: &str| serde_json::json!({"action": action, "rules": json(spec)});
    assert_eq!(rules(convert(policy("ALLOW")).sent.as_ref()), "port 80 ; ns =a");
    assert_eq!(rules(convert(policy("DENY")).sent.as_ref()), "port 80 ; port 81 ; ns =a ; always");
}

#[test]
fn a_doubtful_pattern_is_sent_and_said() {
    let rule =
        r#"{"from": [{"source": {"principals": ["*a*", "td/ns/a/sa/b"], "namespaces": ["a*", "a*b"]}}]}"#;
    let converted = convert(serde_json::json!({"rules": [json(rule)]}));
    assert_eq!(rules(converted.sent.as_ref()), "principal ..a*|=td/ns/a/sa/b ns a..|=a*b");
    let notices: Vec<&str> = converted.findings.notices().map(|notice| notice.field.as_str()).collect();
    let source = "spec.rules[0].from[0].source";
    assert_eq!(notices, [format!("{source}.namespaces[1]"), format!("{source}.principals[0]")]);
}
