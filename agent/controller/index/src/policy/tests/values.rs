//! Every list of every field with every value, of policies that allow and of such that deny.

use rstest::rstest;
use serde_json::{Value, json};

use super::{convert, fields, is_invalid, rules};

/// A field and how what it asks is shown.
struct Field {
    /// Pointer to the list in the rule.
    rule: fn(Value) -> Value,
    path: &'static str,
    shown: &'static str,
}

macro_rules! source {
    ($name:literal, $shown:literal) => {
        Field {
            rule: |values| json!({"from": [{"source": {$name: values}}]}),
            path: concat!("spec.rules[0].from[0].source.", $name),
            shown: $shown,
        }
    };
}

macro_rules! operation {
    ($name:literal, $shown:literal) => {
        Field {
            rule: |values| json!({"to": [{"operation": {$name: values}}]}),
            path: concat!("spec.rules[0].to[0].operation.", $name),
            shown: $shown,
        }
    };
}

macro_rules! when {
    ($key:literal, $name:literal, $shown:literal) => {
        Field {
            rule: |values| json!({"when": [{"key": $key, $name: values}]}),
            path: concat!("spec.rules[0].when[0].", $name),
            shown: $shown,
        }
    };
}

const PATTERNS: [Field; 8] = [
    source!("principals", "principal"),
    source!("notPrincipals", "!principal"),
    source!("namespaces", "ns"),
    source!("notNamespaces", "!ns"),
    when!("source.principal", "values", "principal"),
    when!("source.principal", "notValues", "!principal"),
    when!("source.namespace", "values", "ns"),
    when!("source.namespace", "notValues", "!ns"),
];
const RANGES: [Field; 6] = [
    source!("ipBlocks", "from"),
    source!("notIpBlocks", "!from"),
    when!("source.ip", "values", "from"),
    when!("source.ip", "notValues", "!from"),
    when!("destination.ip", "values", "at"),
    when!("destination.ip", "notValues", "!at"),
];
const PORTS: [Field; 4] = [
    operation!("ports", "port"),
    operation!("notPorts", "!port"),
    when!("destination.port", "values", "port"),
    when!("destination.port", "notValues", "!port"),
];
const ACCOUNTS: [Field; 2] = [source!("serviceAccounts", "sa"), source!("notServiceAccounts", "!sa")];

#[rstest]
#[case("*", "any")]
#[case("a", "=a")]
#[case("cluster.local/ns/a/sa/b", "=cluster.local/ns/a/sa/b")]
#[case("cluster.local/*", "cluster.local/..")]
#[case("*/sa/b", "../sa/b")]
#[case("a*", "a..")]
#[case("*a", "..a")]
// Only one star is a wildcard; another is a star, as in Istio.
#[case("**", "..*")]
#[case("*a*", "..a*")]
#[case("a*b", "=a*b")]
#[case("a**", "a*..")]
#[case(" a", "= a")]
#[case(" ", "= ")]
#[case("A", "=A")]
#[case("名", "=名")]
fn a_pattern(#[case] value: &str, #[case] shown: &str) {
    for field in &PATTERNS {
        is_read(field, json!([value]), shown);
        is_read(field, json!(["x", value]), &format!("=x|{shown}"));
    }
}

#[rstest]
#[case("10.0.0.1", "10.0.0.1/32")]
#[case("10.0.0.0/8", "10.0.0.0/8")]
#[case("10.1.2.3/8", "10.0.0.0/8")]
#[case("10.1.2.3/32", "10.1.2.3/32")]
#[case("10.1.2.3/31", "10.1.2.2/31")]
#[case("0.0.0.0/0", "0.0.0.0/0")]
#[case("10.1.2.3/0", "0.0.0.0/0")]
#[case("0.0.0.0", "0.0.0.0/32")]
#[case("255.255.255.255", "255.255.255.255/32")]
#[case("::1", "::1/128")]
#[case("::", "::/128")]
#[case("::/0", "::/0")]
#[case("2001:db8::/32", "2001:db8::/32")]
#[case("2001:DB8:0:0::1/64", "2001:db8::/64")]
#[case("fe80::1/128", "fe80::1/128")]
#[case("::ffff:10.0.0.1", "10.0.0.1/32")]
#[case("::ffff:0a00:0001", "10.0.0.1/32")]
#[case("::ffff:10.1.2.3/104", "10.0.0.0/8")]
#[case("::ffff:10.1.2.3/128", "10.1.2.3/32")]
#[case("::ffff:0:0/96", "0.0.0.0/0")]
#[case("::10.0.0.1", "::a00:1/128")]
#[case("64:ff9b::10.0.0.1", "64:ff9b::a00:1/128")]
fn a_range(#[case] value: &str, #[case] shown: &str) {
    for field in &RANGES {
        is_read(field, json!([value]), shown);
        is_read(field, json!([value, "192.0.2.0/24"]), &format!("{shown}|192.0.2.0/24"));
    }
}

#[rstest]
fn no_range(
    #[values(
        "",
        " ",
        "*",
        "any",
        "localhost",
        "10",
        "10.0.0",
        "10.0.0.0.0",
        "10.0.0.256",
        "10.0.0.-1",
        "010.0.0.1",
        "0x0a.0.0.1",
        " 10.0.0.1",
        "10.0.0.1 ",
        "10.0.0.1:80",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/08",
        "10.0.0.0/00",
        "10.0.0.0/",
        "10.0.0.0/ 8",
        "10.0.0.0/8/8",
        "10.0.0.0/255.0.0.0",
        "10.0.0.0/a",
        "10.0.0.0/256",
        "10.0.0.0/4294967304",
        "/8",
        "/",
        "10.0.0.*",
        "10.0.0.0-10.0.0.9",
        "10.0.0.1,10.0.0.2",
        "[::1]",
        "::1%lo",
        "fe80::1%2/64",
        "::/129",
        "::1/",
        ":::",
        "1::2::3",
        "12345::",
        "::ffff:10.0.0.1/95",
        "::ffff:0:0/0",
        "::ffff:10.0.0.256"
    )]
    value: &str,
) {
    for field in &RANGES {
        is_unknown(field, value);
    }
}

#[rstest]
#[case("1", "1")]
#[case("80", "80")]
#[case("080", "80")]
#[case("65535", "65535")]
fn a_port(#[case] value: &str, #[case] shown: &str) {
    for field in &PORTS {
        is_read(field, json!([value]), shown);
        is_read(field, json!([value, "443"]), &format!("{shown}|443"));
    }
}

#[rstest]
fn no_port(
    #[values(
        "",
        "0",
        "00",
        "65536",
        "99999",
        "-1",
        "+80",
        " 80",
        "80 ",
        "80.0",
        "8e1",
        "0x50",
        "http",
        "*",
        "80-90",
        "80:90",
        "80,81",
        "8 0",
        "80*",
        "*80",
        "18446744073709551696",
        "\u{668}\u{660}",
        "\u{ff18}\u{ff10}"
    )]
    value: &str,
) {
    for field in &PORTS {
        is_unknown(field, value);
    }
}

#[rstest]
#[case("a", "shop/a")]
#[case("b/a", "b/a")]
#[case("shop/a", "shop/a")]
#[case("b/a.c-d", "b/a.c-d")]
fn an_account(#[case] value: &str, #[case] shown: &str) {
    for field in &ACCOUNTS {
        is_read(field, json!([value]), shown);
        is_read(field, json!([value, "x/y"]), &format!("{shown}|x/y"));
    }
}

#[rstest]
fn no_account(
    #[values(
        "",
        "/",
        "a/",
        "/a",
        "a/b/c",
        "a//b",
        "*",
        "a/*",
        "*/a",
        "a*",
        "*a",
        "b/a*",
        "spiffe://td/ns/a/sa/b"
    )]
    value: &str,
) {
    for field in &ACCOUNTS {
        is_unknown(field, value);
    }
}

/// With a scheme it would never match, and a DENY would be for nobody.
#[rstest]
fn no_principal(#[values("spiffe://td/ns/a/sa/b", "spiffe://td/*", "spiffe:*")] value: &str
) {
    for field in PATTERNS.iter().filter(|field| field.shown.ends_with("principal")) {
        is_unknown(field, value);
    }
}

#[test]
fn an_empty_text_is_no_pattern() {
    for field in &PATTERNS {
        is_unknown(field, "");
    }
}

#[rstest]
fn no_text(
    #[values(
        json!(80),
        json!(-1.5),
        json!(true),
        json!(null),
        json!([]),
        json!(["80"]),
        json!({}),
        json!({"exact": "a"})
    )]
    item: Value,
) {
    for field in all() {
        is_unknown_list(field, json!([item]), "[0]");
        is_unknown_list(field, json!([good(field), item]), "[1]");
    }
}

#[rstest]
fn no_list(
    #[values(json!(80), json!("80"), json!(""), json!(true), json!(null), json!({}), json!({"0": "80"}))]
    list: Value,
) {
    for field in all() {
        is_unknown_list(field, list.clone(), "");
    }
}

/// An empty list asks nothing; alone it makes the part that it is in say nothing, and that is refused.
#[test]
fn an_empty_list_alone() {
    for field in all() {
        let rule = (field.rule)(json!([]));
        let allow = convert(json!({"rules": [rule]}));
        assert_eq!(rules(allow.sent.as_ref()), "never", "{}", field.path);
        assert!(is_invalid(&allow));
        let deny = convert(json!({"action": "DENY", "rules": [rule]}));
        assert_eq!(rules(deny.sent.as_ref()), "always", "{}", field.path);
    }
}

#[test]
fn a_field_of_requests_alone() {
    let fields = [
        source!("requestPrincipals", ""),
        source!("notRequestPrincipals", ""),
        source!("remoteIpBlocks", ""),
        source!("notRemoteIpBlocks", ""),
        source!("trustDomains", ""),
        source!("notTrustDomains", ""),
        operation!("hosts", ""),
        operation!("notHosts", ""),
        operation!("methods", ""),
        operation!("notMethods", ""),
        operation!("paths", ""),
        operation!("notPaths", ""),
        when!("remote.ip", "values", ""),
        when!("remote.ip", "notValues", ""),
        when!("request.headers[x-a]", "values", ""),
        when!("request.headers", "values", ""),
        when!("request.auth.principal", "notValues", ""),
        when!("request.auth.audiences", "values", ""),
        when!("request.auth.presenter", "values", ""),
        when!("request.auth.claims[iss]", "values", ""),
        when!("connection.sni", "values", ""),
        when!("experimental.envoy.filters.network.mysql_proxy[db.t]", "values", ""),
        source!("trustDomains", ""),
        source!("notTrustDomains", ""),
        when!("source.trustDomain", "values", ""),
        when!("source.serviceAccount", "notValues", ""),
    ];
    for field in fields {
        let rule = (field.rule)(json!(["x"]));
        for (action, expected) in [("ALLOW", "never"), ("DENY", "always")] {
            let converted = convert(json!({"action": action, "rules": [rule]}));
            assert_eq!(rules(converted.sent.as_ref()), expected, "{}", field.path);
            assert!(converted.findings.refuse() && !is_invalid(&converted), "{}", field.path);
            let named = super::fields(&converted)[0].replace(".key", ".");
            assert!(field.path.starts_with(&named), "{named} {}", field.path);
        }
    }
}

#[rstest]
fn no_key(
    #[values(
        "",
        " ",
        "source",
        "source.ip ",
        "Source.ip",
        "source.ips",
        "source.port",
        "destination.namespace",
        "destination.user",
        "destination.labels[app]",
        "sourceip",
        "request",
        "*"
    )]
    key: &str,
) {
    for (action, expected) in [("ALLOW", "never"), ("DENY", "always")] {
        let rule = json!({"when": [{"key": key, "values": ["10.0.0.1"]}]});
        let converted = convert(json!({"action": action, "rules": [rule]}));
        assert_eq!(rules(converted.sent.as_ref()), expected);
        assert!(is_invalid(&converted));
        assert_eq!(fields(&converted), ["spec.rules[0].when[0].key"]);
    }
}

fn all() -> impl Iterator<Item = &'static Field> {
    PATTERNS.iter().chain(&RANGES).chain(&PORTS).chain(&ACCOUNTS)
}

/// A value that each of them takes.
fn good(field: &Field) -> &'static str {
    match field.shown.trim_start_matches('!') {
        "port" => "80",
        "from" | "at" => "10.0.0.0/8",
        _ => "a",
    }
}

fn is_read(field: &Field, values: Value, shown: &str) {
    let expected = format!("{} {shown}", field.shown);
    for action in ["ALLOW", "DENY"] {
        let converted = convert(json!({"action": action, "rules": [(field.rule)(values.clone())]}));
        assert_eq!(rules(converted.sent.as_ref()), expected, "{action} {}", field.path);
        assert!(!converted.findings.refuse(), "{}", converted.findings.words());
    }
}

fn is_unknown(field: &Field, value: &str) {
    is_unknown_list(field, json!([value]), "[0]");
    is_unknown_list(field, json!([good(field), value]), "[1]");
}

/// The rule allows nothing; what it denies is not held back by the field, but by the others it has.
fn is_unknown_list(field: &Field, list: Value, at: &str) {
    let path = format!("{}{at}", field.path);
    let rule = (field.rule)(list);
    let allow = convert(json!({"rules": [rule]}));
    assert_eq!(rules(allow.sent.as_ref()), "never", "{path}");
    assert!(is_invalid(&allow), "{path}");
    assert!(fields(&allow).contains(&&*path), "{path}: {:?}", fields(&allow));
    let deny = convert(json!({"action": "DENY", "rules": [rule]}));
    assert_eq!(rules(deny.sent.as_ref()), "always", "{path}");
    assert_eq!(fields(&deny), fields(&allow));

    let mut rule = rule;
    rule["when"] = match rule.get("when") {
        Some(condition) => json!([condition[0], {"key": "source.ip", "values": ["192.0.2.1"]}]),
        None => json!([{"key": "source.ip", "values": ["192.0.2.1"]}]),
    };
    let allow = convert(json!({"rules": [rule, {"to": [{"operation": {"ports": ["1"]}}]}]}));
    assert_eq!(rules(allow.sent.as_ref()), "port 1", "{path}");
    let deny = convert(json!({"action": "DENY", "rules": [rule]}));
    assert_eq!(rules(deny.sent.as_ref()), "from 192.0.2.1/32", "{path}");
}
