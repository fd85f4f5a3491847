//! Reviews and their answers; then the port, with those who want none.

use serde_json::{Value, json};
use weir_index::Config;

use super::*;

mod port;

fn object(kind: &str, spec: Value) -> Value {
    let group = match kind {
        "ServiceEntry" | "VirtualService" | "DestinationRule" => "networking.istio.io",
        "HTTPRoute" | "GRPCRoute" => "gateway.networking.k8s.io",
        _ => "security.istio.io",
    };
    json!({
        "apiVersion": format!("{group}/v1"), "kind": kind,
        "metadata": {"name": "p", "namespace": "shop"}, "spec": spec,
    })
}

fn review(operation: &str, object: Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {"uid": "u-1", "operation": operation, "namespace": "shop", "name": "p", "object": object},
    })
}

fn response(review: &Value) -> Value {
    let body = answer(&serde_json::to_vec(review).unwrap(), &Config::default()).unwrap();
    let mut answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    assert_eq!(answer["response"]["uid"], "u-1");
    answer["response"].take()
}

/// Why an object is refused; empty if it is not.
fn refusal(review: &Value) -> String {
    let response = response(review);
    let message = response["status"]["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!(response["allowed"], json!(message.is_empty()), "{response}");
    message
}

#[test]
fn objects_are_judged() {
    let bad_rule = json!({"rules": [{"to": [{"operation": {"ports": ["http"]}}]}]});
    let requests = json!({"rules": [{"to": [{"operation": {"methods": ["GET"]}}]}]});
    let targets = json!({"targetRefs": [{"kind": "Service", "name": "x"}], "rules": requests["rules"]});
    let entry = json!({"hosts": ["a.example.com"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
        "resolution": "DNS"});
    let cases: [(&str, Value, &str); 12] = [
        ("AuthorizationPolicy", json!({}), ""),
        ("AuthorizationPolicy", json!({"rules": [{}]}), ""),
        (
            "AuthorizationPolicy",
            bad_rule,
            "spec.rules[0].to[0].operation.ports[0]: \"http\" is not a port (1 to 65535)",
        ),
        ("AuthorizationPolicy", requests, "spec.rules[0].to[0].operation.methods: is about requests"),
        ("AuthorizationPolicy", targets, ""),
        ("AuthorizationPolicy", json!({"action": "AUDIT"}), "spec.action: AUDIT"),
        ("AuthorizationPolicy", json!({"selektor": {}}), "spec.selektor: is not a field that is known here"),
        ("PeerAuthentication", json!({"mtls": {"mode": "STRICT"}}), ""),
        ("PeerAuthentication", json!({"mtls": {"mode": "ON"}}), "spec.mtls.mode: \"ON\" is none of"),
        ("PeerAuthentication", json!({"portLevelMtls": {"80": {}}}), "spec.portLevelMtls: needs a selector"),
        ("ServiceEntry", entry, ""),
        ("ServiceEntry", json!({"hosts": []}), "spec"),
    ];
    for (kind, spec, expected) in cases {
        for operation in ["CREATE", "UPDATE"] {
            let refusal = refusal(&review(operation, object(kind, spec.clone())));
            let as_expected =
                if expected.is_empty() { refusal.is_empty() } else { refusal.starts_with(expected) };
            assert!(as_expected, "{operation} {kind} {spec}: {refusal:?}, not {expected:?}");
        }
    }
}

/// What is wrong in itself is refused; what is not there yet, or not served here, is not.
#[test]
fn routing_is_judged_in_the_words_of_its_status() {
    let parent = json!([{"group": "", "kind": "Service", "name": "reviews"}]);
    let edge = json!([{"name": "edge"}]);
    let rule = json!({"matches": [{"path": {"type": "RegularExpression", "value": "("}}]});
    let to = json!([{"destination": {"host": "reviews", "subset": "v1"}}]);
    let cases: [(&str, Value, &str, bool); 12] = [
        ("VirtualService", json!({"hosts": ["reviews"], "http": [{"route": to}]}), "", false),
        (
            "VirtualService",
            json!({"hosts": ["a b"], "http": [{"route": to}]}),
            "spec.hosts[0]: \"a b\" is not a host",
            false,
        ),
        (
            "VirtualService",
            json!({"hosts": ["reviews"], "http": [{"match": [{"uri": {"regex": "("}}], "route": to}]}),
            "spec.http[0].match[0].uri.regex: ",
            false,
        ),
        (
            "VirtualService",
            json!({"hosts": ["reviews"], "gateways": ["edge"], "http": [{"route": to}]}),
            "",
            true,
        ),
        ("VirtualService", json!({"hosts": ["reviews"], "htpt": []}), "spec.htpt: ", false),
        (
            "DestinationRule",
            json!({"host": "reviews", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]}),
            "",
            false,
        ),
        (
            "DestinationRule",
            json!({"host": "reviews", "subsets": [{"labels": {}}]}),
            "spec.subsets[0].name: is missing",
            false,
        ),
        ("DestinationRule", json!({"host": ""}), "spec.host: is missing", false),
        // Without a backend a rule answers 500, which is allowed and seldom meant.
        ("HTTPRoute", json!({"parentRefs": parent, "rules": [{}]}), "", true),
        // The Gateway API answers in the status, also where it has no word for it.
        ("HTTPRoute", json!({"parentRefs": parent, "rules": [rule]}), "", true),
        ("HTTPRoute", json!({"parentRefs": edge, "rules": [rule]}), "", false),
        ("GRPCRoute", json!({"parentRefs": parent, "rules": [{}]}), "", true),
    ];
    for (kind, spec, expected, warns) in cases {
        let review = review("CREATE", object(kind, spec.clone()));
        let refusal = refusal(&review);
        let as_expected =
            if expected.is_empty() { refusal.is_empty() } else { refusal.starts_with(expected) };
        assert!(as_expected, "{kind} {spec}: {refusal:?}, not {expected:?}");
        let warnings = response(&review)["warnings"].as_array().cloned().unwrap_or_default();
        assert!(warns != warnings.is_empty() || !expected.is_empty(), "{kind} {spec}: {warnings:?}");
    }
}

#[test]
fn all_problems_are_said_at_once() {
    let spec = json!({"action": "deny", "rules": [{"from": [{"source": {"ipBlocks": ["x"]}}]}]});
    let message = refusal(&review("CREATE", object("AuthorizationPolicy", spec)));
    assert!(
        message.contains("spec.action: ") && message.contains("; spec.rules[0].from[0].source.ipBlocks[0]: ")
    );
}

#[test]
fn the_root_namespace_is_the_configured_one() {
    let spec = json!({"selector": {"matchLabels": {"a": "b"}}, "mtls": {"mode": "STRICT"}});
    let review = serde_json::to_vec(&review("CREATE", object("PeerAuthentication", spec))).unwrap();
    for (root, allowed) in [("weir-system", true), ("shop", false)] {
        let config = Config { root_namespace: root.into(), ..Config::default() };
        let answer: Value = serde_json::from_slice(&answer(&review, &config).unwrap()).unwrap();
        assert_eq!(answer["response"]["allowed"], allowed);
    }
}

#[test]
fn what_is_only_doubtful_is_a_warning() {
    let spec = json!({"rules": [{"from": [{"source": {"principals": ["*x*"]}}]}]});
    let response = response(&review("CREATE", object("AuthorizationPolicy", spec)));
    assert_eq!(response["allowed"], true);
    assert!(
        response["warnings"][0].as_str().unwrap().starts_with("spec.rules[0].from[0].source.principals[0]: ")
    );
}

/// What would lock an object in, or does not concern the mesh, is let through.
#[test]
fn what_is_not_judged() {
    let bad = object("AuthorizationPolicy", json!({"action": "deny"}));
    assert_ne!(refusal(&review("CREATE", bad.clone())), "");
    let mut leaving = bad.clone();
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let mut status = review("UPDATE", bad.clone());
    status["request"]["subResource"] = json!("status");
    let other = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "p"}});
    for review in [
        review("DELETE", Value::Null),
        review("DELETE", bad.clone()),
        review("CONNECT", bad),
        review("UPDATE", leaving),
        status,
        review("CREATE", other),
    ] {
        assert_eq!(refusal(&review), "", "{review}");
    }
}

#[test]
fn an_object_may_have_no_name_yet() {
    for metadata in [json!({"generateName": "p-"}), json!({"generateName": "p-", "namespace": "shop"})] {
        let mut object = object("AuthorizationPolicy", json!({}));
        object["metadata"] = metadata;
        let mut review = review("CREATE", object);
        review["request"].as_object_mut().unwrap().remove("name");
        assert_eq!(refusal(&review), "");
    }
}

#[test]
fn what_is_no_review_has_no_answer() {
    let good = review("CREATE", object("AuthorizationPolicy", json!({})));
    let without = |path: &str| {
        let (parent, field) = path.rsplit_once('/').unwrap();
        let mut review = good.clone();
        review.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
        serde_json::to_vec(&review).unwrap()
    };
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let mut beta = good.clone();
    beta["apiVersion"] = json!("admission.k8s.io/v1beta1");
    for body in [
        Vec::new(),
        b"null".to_vec(),
        b"{}".to_vec(),
        b"\xff\xfe".to_vec(),
        deep,
        without("/apiVersion"),
        without("/kind"),
        without("/request"),
        without("/request/uid"),
        without("/request/object"),
        serde_json::to_vec(&beta).unwrap(),
    ] {
        assert!(
            answer(&body, &Config::default()).is_err(),
            "{}",
            String::from_utf8_lossy(&body[..body.len().min(99)])
        );
    }
}
