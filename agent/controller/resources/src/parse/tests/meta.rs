//! Metadata and conditions.

use serde_json::json;

use super::*;

#[test]
fn all_of_it() {
    let object = good(json!({
        "apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry",
        "metadata": {
            "name": "vm.1", "namespace": "shop", "uid": "u", "generation": 3,
            "creationTimestamp": "2026-01-02T03:04:05Z", "deletionTimestamp": "2026-01-02T03:04:05Z",
            "labels": {"b": "2", "a/b": ""},
            "annotations": {"istio.io/dry-run": "true", "weir.dev/x": "y", "kubectl.kubernetes.io/last-applied": "{}"},
        },
        "spec": {"address": "10.0.0.1"},
        "status": {"conditions": [
            {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "m", "observedGeneration": 3},
            {"type": "Healthy", "status": "False", "observedGeneration": "4"},
            {"status": "no type"}, 7,
        ]},
    }));
    let meta = object.meta();
    assert_eq!((&*meta.name, &*meta.namespace, &*meta.uid, meta.generation), ("vm.1", "shop", "u", 3));
    assert_eq!((meta.created, meta.deleting), (Some(1_767_323_045), true));
    assert_eq!(meta.labels.iter().collect::<Vec<_>>(), [("a/b", ""), ("b", "2")]);
    assert_eq!(
        meta.annotations.iter().collect::<Vec<_>>(),
        [("istio.io/dry-run", "true"), ("weir.dev/x", "y")]
    );
    let conditions: Vec<_> =
        meta.conditions.iter().map(|c| (&*c.kind, &*c.status, c.observed_generation)).collect();
    assert_eq!(conditions, [("Accepted", "True", 3), ("Healthy", "False", 4)]);
}

#[test]
fn little_of_it() {
    let object = good(
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "labels": null}}),
    );
    let meta = object.meta();
    assert_eq!((&*meta.namespace, &*meta.uid, meta.created, meta.deleting), ("default", "", None, false));
    assert!(meta.labels.is_empty() && meta.annotations.is_empty());
}

#[test]
fn a_bad_object_still_has_its_name() {
    let mut value = object(Kind::Pod, json!({}));
    value["metadata"]["labels"] = json!({"app": 1});
    let invalid = parse(value).unwrap_err();
    assert_eq!(invalid.key.unwrap().to_string(), "Pod shop/a");
    assert_eq!(&*invalid.meta.name, "a");
}

#[test]
fn a_bad_version_is_said_before_what_another_version_may_well_have() {
    let mut value = object(Kind::ServiceEntry, json!({"things": []}));
    value["apiVersion"] = "networking.istio.io/v2".into();
    let invalid = parse(value).unwrap_err();
    assert_eq!(invalid.problem.field, "apiVersion");
    assert!(invalid.key.is_some());
}

#[rstest]
#[case::no_name(json!({}), "metadata.name: is missing")]
#[case::slash(json!({"name": "a/b"}), "metadata.name: \"a/b\" is not a name that Kubernetes allows")]
#[case::number(json!({"name": 5}), "metadata.name: invalid type: integer `5`, expected a string")]
#[case::namespace(json!({"name": "a", "namespace": "A"}), "metadata.namespace: \"A\" is not the name of a namespace")]
fn without_a_good_name_there_is_no_key(#[case] metadata: Value, #[case] said: &str) {
    let mut value = object(Kind::Pod, json!({}));
    value["metadata"] = metadata;
    let invalid = parse(value).unwrap_err();
    assert_eq!((invalid.problem.to_string().as_str(), invalid.key), (said, None));
}

#[rstest]
#[case::label_number(json!({"labels": {"a.b/c": 1}}), "metadata.labels[a.b/c]: invalid type: integer `1`, expected a string; write it in quotes")]
#[case::label_value(json!({"labels": {"app": "a b"}}), "metadata.labels.app: \"a b\" is not the value of a label")]
#[case::label_name(json!({"labels": {"a b": "c"}}), "metadata.labels[a b]: \"a b\" is not the name of a label")]
#[case::time(json!({"creationTimestamp": "yesterday"}), "metadata.creationTimestamp: \"yesterday\" is not a time of RFC 3339")]
#[case::annotation(json!({"annotations": {"a": true}}), "metadata.annotations.a: invalid type: boolean `true`, expected a string")]
fn what_is_wrong(#[case] more: Value, #[case] said: &str) {
    let mut value = object(Kind::Service, json!({}));
    let metadata = value["metadata"].as_object_mut().unwrap();
    metadata.extend(more.as_object().unwrap().clone());
    assert_eq!(bad(value), said);
}

#[test]
fn pods_of_a_workload_share_their_labels() {
    let pod = || {
        let mut value = object(Kind::Pod, json!({}));
        value["metadata"]["labels"] = json!({"app": "web", "version": "1"});
        good(value)
    };
    let (a, b) = (pod(), pod());
    let value = |object: &Object| object.meta().labels.get("app").unwrap().as_ptr();
    assert_eq!(value(&a), value(&b));
    assert_eq!(a.meta().namespace.as_ptr(), b.meta().namespace.as_ptr());
}
