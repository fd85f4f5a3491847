//! What is said about bad objects, and that nothing makes the reader fall over.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Key;

#[rstest]
#[case(Kind::Pod, json!({"containers": [{}, {"ports": [{"name": "a", "containerPort": 0}]}]}), "spec.containers[1].ports[0].containerPort: 0 is not a port; expected 1 to 65535")]
#[case(Kind::Pod, json!({"hostNetwork": "yes"}), "spec.hostNetwork: invalid type: string \"yes\", expected a boolean")]
#[case(Kind::Pod, json!({"serviceAccountName": "a/b"}), "spec.serviceAccountName: \"a/b\" is not the name of a service account")]
#[case(Kind::Service, json!({"ports": [{"port": 70000}]}), "spec.ports[0].port: 70000 is not a port; expected 1 to 65535")]
#[case(Kind::Service, json!({"ports": [{"port": -1}]}), "spec.ports[0].port: -1 is not a port; expected 1 to 65535")]
#[case(Kind::Service, json!({"ports": [{"port": "80"}]}), "spec.ports[0].port: invalid type: string \"80\", expected a port, 1 to 65535")]
#[case(Kind::Service, json!({"ports": [{"name": "a"}]}), "spec.ports[0]: missing field `port`")]
#[case(Kind::Service, json!({"ports": [{"port": 1, "targetPort": "80"}]}), "spec.ports[0].targetPort: \"80\" is a number in quotes, and a name has letters")]
#[case(Kind::Service, json!({"ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}]}), "spec.ports[1].name: \"a\" is there twice")]
#[case(Kind::Service, json!({"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]}), "spec.ports[1].port: 1 is there twice")]
#[case(Kind::Service, json!({"clusterIPs": ["10.0.0.300"]}), "spec.clusterIPs[0]: \"10.0.0.300\" is not an IP address")]
#[case(Kind::ServiceEntry, json!({}), "spec.hosts: is empty; a service entry is known by its hosts")]
#[case(Kind::ServiceEntry, json!({"hosts": ["*"]}), "spec.hosts[0]: \"*\" is not a host, nor *. and a host")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b", "A.b"]}), "spec.hosts[1]: \"a.b\" is there twice")]
#[case(Kind::ServiceEntry, json!({"hosts": ["*.b"], "resolution": "DNS"}), "spec.hosts[0]: \"*.b\" cannot be resolved: give endpoints, or a host without *")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "addresses": ["10.0.0.0/33"]}), "spec.addresses[0]: \"10.0.0.0/33\" is not an address or a CIDR")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "resolution": "DNS", "addresses": ["10.0.0.0/8"]}), "spec.addresses[0]: 10.0.0.0/8 is a range, which only resolution NONE and STATIC can have")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "ports": [{"number": 1, "name": ""}]}), "spec.ports[0].name: is empty")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "ports": [{"number": 1, "name": "a"}, {"number": 1, "name": "b"}]}), "spec.ports[1].number: 1 is there twice")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "ports": [{"number": 1, "name": "a"}, {"number": 2, "name": "a"}]}), "spec.ports[1].name: \"a\" is there twice")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "resolution": "STATIC", "endpoints": [{"address": "10.0.0.256"}]}), "spec.endpoints[0].address: \"10.0.0.256\" is not an IP address, a host or a unix:// path")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "resolution": "STATIC", "endpoints": [{}]}), "spec.endpoints[0].address: is missing")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "resolution": "STATIC", "endpoints": [{"address": "a.b"}]}), "spec.endpoints[0].address: \"a.b\" is a name, and resolution STATIC takes addresses")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "resolution": "STATIC", "endpoints": [{"address": "10.0.0.1", "ports": {"x": 1}}]}), "spec.endpoints[0].ports: \"x\" is no port of the service entry")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "resolution": "STATIC", "endpoints": [{"address": "10.0.0.1"}], "workloadSelector": {"labels": {"a": "b"}}}), "spec.endpoints: has endpoints and a workloadSelector; expected one of them")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "endpoints": [{"address": "10.0.0.1"}]}), "spec.endpoints: has endpoints, which resolution NONE does not use")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "resolution": "STATIC", "endpoints": [{"address": "unix:///a"}]}), "spec.ports: a unix socket serves exactly one port")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "exportTo": ["a/b"]}), "spec.exportTo[0]: \"a/b\" is not a namespace, nor . or * or ~")]
#[case(Kind::WorkloadEntry, json!("a"), "spec: invalid type: string \"a\", expected an object")]
#[case(Kind::WorkloadEntry, json!({}), "spec.address: is missing")]
#[case(Kind::WorkloadEntry, json!({"address": "unix://a"}), "spec.address: \"unix://a\" is not an absolute path")]
#[case(Kind::WorkloadEntry, json!({"address": "unix:///a", "ports": {"a": 1}}), "spec.ports: a unix socket has no ports")]
#[case(Kind::WorkloadEntry, json!({"address": "a.b", "ports": {"a": 0}}), "spec.ports.a: 0 is not a port; expected 1 to 65535")]
fn what_is_said(#[case] kind: Kind, #[case] spec: Value, #[case] said: &str) {
    assert_eq!(bad(object(kind, spec)), said);
}

#[rstest]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "adresses": []}), "spec.adresses")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "ports": [{"number": 1, "name": "a", "target": 2}]}), "spec.ports[0].target")]
#[case(Kind::WorkloadEntry, json!({"address": "10.0.0.1", "serviceaccount": "a"}), "spec.serviceaccount")]
#[case(Kind::WorkloadGroup, json!({"template": {"adress": ""}}), "spec.template.adress")]
#[case(Kind::ServiceEntry, json!({"hosts": ["a.b"], "resolution": "STATICK"}), "spec.resolution")]
fn what_is_misspelt_is_named(#[case] kind: Kind, #[case] spec: Value, #[case] field: &str) {
    assert_eq!(parse(object(kind, spec)).unwrap_err().problem.field, field);
}

#[test]
fn a_pod_with_a_bad_address() {
    let mut value = object(Kind::Pod, json!({}));
    value["status"] = json!({"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0"}]});
    assert_eq!(bad(value), "status.podIPs[1].ip: \"10.0.0\" is not an IP address");
}

#[test]
fn a_problem_is_a_line() {
    let huge = "x\n\u{1b}[2J".repeat(100_000);
    let mut by_key = object(Kind::Pod, json!({}));
    by_key["metadata"]["labels"] = json!({&huge: "a"});
    let by_value = object(Kind::Service, json!({"ports": &huge}));
    let by_enum = object(Kind::ServiceEntry, json!({"hosts": [&huge], "resolution": &huge}));
    for value in [by_key, by_value, by_enum] {
        let said = bad(value);
        assert!(said.chars().count() < 500 && !said.contains(char::is_control), "{said}");
    }
}

/// JSON that has the names of real fields, so that it gets further than the first one.
fn any_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(&NAMES[..]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..70_000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        names.clone().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let name = prop_oneof![9 => names.prop_map(str::to_owned), 1 => ".*"];
    leaf.prop_recursive(6, 128, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

const NAMES: [&str; 44] = [
    "metadata",
    "name",
    "namespace",
    "labels",
    "annotations",
    "uid",
    "generation",
    "creationTimestamp",
    "spec",
    "status",
    "ports",
    "port",
    "number",
    "targetPort",
    "protocol",
    "TCP",
    "containers",
    "containerPort",
    "podIP",
    "podIPs",
    "ip",
    "10.0.0.1",
    "clusterIPs",
    "None",
    "selector",
    "matchLabels",
    "endpoints",
    "addresses",
    "address",
    "targetRef",
    "addressType",
    "IPv4",
    "conditions",
    "type",
    "listeners",
    "allowedRoutes",
    "namespaces",
    "from",
    "hosts",
    "a.b",
    "resolution",
    "STATIC",
    "template",
    "unix:///a",
];

proptest! {
    #[test]
    fn any_json_is_an_object_or_a_problem(value in any_json(), place in 0..Kind::ALL.len(), named in any::<bool>()) {
        let kind = Kind::ALL[place];
        let mut value = value;
        let whole = object(kind, Value::Null);
        if let Some(fields) = value.as_object_mut() {
            for field in ["apiVersion", "kind"] {
                fields.insert(field.into(), whole[field].clone());
            }
            if named {
                fields.insert("metadata".into(), whole["metadata"].clone());
            }
        }
        let ours = kind_of(&value).is_some();
        match parse(value) {
            Ok(object) => {
                prop_assert_eq!(object.kind(), kind);
                prop_assert!(!object.meta().name.is_empty());
            }
            Err(invalid) => {
                prop_assert!(!invalid.problem.message.is_empty());
                if named && ours {
                    let namespace = if kind.is_namespaced() { "shop" } else { "" };
                    prop_assert_eq!(invalid.key, Some(Key::new(kind, namespace, "a")));
                }
            }
        }
    }
}
