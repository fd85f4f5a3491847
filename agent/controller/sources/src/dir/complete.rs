//! What Kubernetes would have filled in, as far as one object tells.

use serde_json::{Map, Value, json};
use weir_resources::Kind;

/// Adds what is not there.
pub(super) fn complete(kind: Kind, value: &mut Value) {
    match kind {
        Kind::Pod => pod(value),
        Kind::Namespace => {
            let name = text(value, "name").map(str::to_owned);
            if let (Some(name), Some(labels)) = (name, field(value, &["metadata", "labels"])) {
                labels.insert("kubernetes.io/metadata.name".into(), name.into());
            }
        }
        _ => {}
    }
}

/// The uid that a pod of a file has if the file does not say one: it is in its node's tokens, so it must not change.
pub fn derived_uid(namespace: &str, name: &str) -> String {
    // FNV-1a of 128 bits. It tells pods apart; nothing is proved by it.
    let step =
        |hash: u128, byte: &u8| (hash ^ u128::from(*byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013B);
    let text = format!("{namespace}/{name}");
    let hash = text.as_bytes().iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, step);
    // Version 8 of RFC 9562, which is for one's own ways to make it.
    let hash = (hash & !(0xf << 76) & !(0x3 << 62)) | (8 << 76) | (2 << 62);
    let hex = format!("{hash:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// A pod that somebody wrote down runs; one of which it is said that it does is ready.
fn pod(value: &mut Value) {
    if let Some(name) = text(value, "name").map(str::to_owned) {
        let uid = derived_uid(text(value, "namespace").unwrap_or("default"), &name);
        if let Some(metadata) = field(value, &["metadata"]) {
            set(metadata, "uid", uid.into());
        }
    }
    let Some(status) = field(value, &["status"]) else { return };
    set(status, "phase", "Running".into());
    if status["phase"] != "Running" {
        return;
    }
    set(status, "conditions", json!([]));
    if let Some(Value::Array(conditions)) = status.get_mut("conditions")
        && !conditions.iter().any(|condition| condition.get("type").is_some_and(|kind| kind == "Ready"))
    {
        conditions.push(json!({"type": "Ready", "status": "True"}));
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get("metadata")?.get(name)?.as_str()
}

fn set(fields: &mut Map<String, Value>, name: &str, value: Value) {
    let at = fields.entry(name).or_insert(Value::Null);
    if at.is_null() {
        *at = value;
    }
}

/// A field that holds fields, made if it is not there; `None` if something else is there, of which `parse` will say so.
fn field<'a>(mut value: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    for name in path {
        value = value.as_object_mut()?.entry(*name).or_insert(Value::Null);
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
    }
    value.as_object_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn uids_are_stable_and_tell_pods_apart() {
        assert_eq!(derived_uid("shop", "web"), "ef99632b-f765-8baf-ab7b-ab017a06c274");
        assert_ne!(derived_uid("shop", "web"), derived_uid("shop", "wea"));
        assert_ne!(derived_uid("a", "b"), derived_uid("b", "a"));
    }

    #[rstest]
    #[case::nothing(json!({}), "Running", Some("True"))]
    #[case::no_status(Value::Null, "Running", Some("True"))]
    #[case::not_ready(json!({"conditions": [{"type": "Ready", "status": "False"}]}), "Running", Some("False"))]
    #[case::other(json!({"phase": "Running", "conditions": [{"type": "Initialized", "status": "False"}]}), "Running", Some("True"))]
    #[case::pending(json!({"phase": "Pending"}), "Pending", None)]
    #[case::done(json!({"phase": "Succeeded"}), "Succeeded", None)]
    fn a_pod_that_is_written_down(#[case] status: Value, #[case] phase: &str, #[case] ready: Option<&str>) {
        let mut value = json!({"metadata": {"name": "a"}, "status": status});
        complete(Kind::Pod, &mut value);
        assert_eq!(value["status"]["phase"], phase);
        let conditions = value["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|condition| condition["type"] == "Ready");
        assert_eq!(found.map(|condition| condition["status"].as_str().unwrap()), ready);
        assert_eq!(value["metadata"]["uid"], derived_uid("default", "a"));
    }

    #[rstest]
    #[case(json!(7))]
    #[case(json!({"metadata": 7, "status": []}))]
    #[case(json!({"metadata": {"name": 7, "labels": "x"}, "status": {"phase": {}, "conditions": 3}}))]
    #[case(json!({"metadata": {"name": "a", "labels": []}, "status": {"conditions": [3, {"type": 4}]}}))]
    fn what_is_something_else_is_left_alone(#[case] mut value: Value) {
        complete(Kind::Pod, &mut value);
        complete(Kind::Namespace, &mut value);
    }

    #[test]
    fn a_namespace_has_its_name_as_a_label() {
        let mut value = json!({"metadata": {"name": "shop"}});
        complete(Kind::Namespace, &mut value);
        assert_eq!(value["metadata"]["labels"]["kubernetes.io/metadata.name"], "shop");
    }
}
