//! Objects as people and API servers write them.

use rstest::rstest;
use serde_json::{Value, json};

use super::{kind_of, parse};
use crate::{Invalid, Kind, Object};

mod istio;
mod kubernetes;
mod meta;
mod probes;
mod problems;
mod secrets;

/// Reads an object that is good.
fn good(value: Value) -> Object {
    parse(value).unwrap_or_else(|invalid| panic!("{invalid}"))
}

/// Reads an object that is bad; what is said about it.
fn bad(value: Value) -> String {
    match parse(value) {
        Err(Invalid { problem, .. }) => problem.to_string(),
        Ok(object) => panic!("was taken: {object:?}"),
    }
}

/// An object of a kind, with this spec.
fn object(kind: Kind, spec: Value) -> Value {
    let version = match kind.group() {
        "" => "v1".to_owned(),
        group => format!("{group}/{}", kind.versions()[0]),
    };
    json!({"apiVersion": version, "kind": kind.name(), "metadata": {"name": "a", "namespace": "shop"}, "spec": spec})
}

#[test]
fn every_version_of_every_kind_is_read() {
    for kind in Kind::ALL {
        for version in kind.versions() {
            let mut value = object(kind, json!({"hosts": ["a.b"], "address": "10.0.0.1"}));
            if kind == Kind::WorkloadEntry || kind == Kind::WorkloadGroup {
                value["spec"] = json!({"address": "10.0.0.1"});
            }
            if kind == Kind::WorkloadGroup {
                value["spec"] = json!({"template": {}});
            }
            if kind == Kind::ServiceEntry {
                value["spec"] = json!({"hosts": ["a.b"]});
            }
            value["addressType"] = "IPv4".into();
            let slash = if kind.group().is_empty() { "" } else { "/" };
            value["apiVersion"] = format!("{}{slash}{version}", kind.group()).into();
            let object = good(value);
            assert_eq!(object.kind(), kind);
            assert_eq!(&*object.key().namespace, if kind.is_namespaced() { "shop" } else { "" });
        }
    }
}

#[rstest]
#[case::other_group(json!({"apiVersion": "serving.knative.dev/v1", "kind": "Service"}), None)]
#[case::istio_gateway(json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway"}), None)]
#[case::other_version(json!({"apiVersion": "v2", "kind": "Service"}), Some(Kind::Service))]
#[case::no_version(json!({"kind": "Service"}), Some(Kind::Service))]
#[case::unknown(json!({"apiVersion": "apps/v1", "kind": "Deployment"}), None)]
#[case::no_kind(json!({"apiVersion": "v1"}), None)]
#[case::not_an_object(json!([1]), None)]
fn the_kind(#[case] value: Value, #[case] kind: Option<Kind>) {
    assert_eq!(kind_of(&value), kind);
}
