//! What a patch makes of an object, by its content type.

use serde_json::Value;

/// JSON merge patch (RFC 7386).
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(into) = target.as_object_mut() else { return };
    for (name, value) in fields {
        if value.is_null() {
            into.remove(name);
        } else {
            merge(into.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// As [`merge`], but lists of objects that have a key are merged by it: strategic merge patch, and apply.
pub(crate) fn merge_lists(target: &mut Value, patch: &Value, path: &str, resource: &str) {
    if is_atomic(resource, path) {
        *target = patch.clone();
        return;
    }
    match (target.as_object_mut(), patch) {
        (Some(into), Value::Object(fields)) => {
            for (name, value) in fields {
                let below = join(path, name);
                if value.is_null() {
                    into.remove(name);
                } else {
                    merge_lists(into.entry(name.clone()).or_insert(Value::Null), value, &below, resource);
                }
            }
        }
        (_, Value::Array(items)) => match list_key(resource, path) {
            Some(key) => merge_list(target, items, key, path, resource),
            None => *target = patch.clone(),
        },
        (None, Value::Object(_)) => {
            *target = Value::Object(serde_json::Map::new());
            merge_lists(target, patch, path, resource);
        }
        _ => *target = patch.clone(),
    }
}

/// The key of a list whose items are known by one; `None` for a list that is replaced as a whole.
pub(crate) fn list_key(resource: &str, path: &str) -> Option<&'static str> {
    match (resource, path) {
        ("services" | "gateways" | "gatewayclasses" | "pods" | "nodes", "status.conditions") => Some("type"),
        ("validatingwebhookconfigurations", "webhooks") => Some("name"),
        ("serviceaccounts", "secrets") => Some("name"),
        ("services", "spec.ports") => Some("port"),
        (_, "metadata.ownerReferences") => Some("uid"),
        ("deployments", path) => path.strip_prefix("spec.template.spec.").and_then(list_key_of_a_pod),
        _ => None,
    }
}

/// Whether an object is replaced as a whole, and has one owner.
pub(crate) fn is_atomic(resource: &str, path: &str) -> bool {
    matches!((resource, path), ("services" | "deployments", "spec.selector"))
}

fn list_key_of_a_pod(path: &str) -> Option<&'static str> {
    match path {
        "containers" | "initContainers" | "volumes" | "imagePullSecrets" | "containers.[].env" => {
            Some("name")
        }
        "containers.[].ports" => Some("containerPort"),
        "containers.[].volumeMounts" => Some("mountPath"),
        "topologySpreadConstraints" => Some("topologyKey"),
        _ => None,
    }
}

pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn merge_list(target: &mut Value, items: &[Value], key: &str, path: &str, resource: &str) {
    if !target.is_array() {
        *target = Value::Array(Vec::new());
    }
    let Some(list) = target.as_array_mut() else { return };
    for item in items {
        match list.iter_mut().find(|is| is[key] == item[key]) {
            Some(is) => merge_lists(is, item, &join(path, "[]"), resource),
            None => list.push(item.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_replaces_lists_and_null_removes() {
        let mut value = json!({"a": [1, 2], "b": {"c": 1, "d": 2}});
        merge(&mut value, &json!({"a": [3], "b": {"c": null}, "e": {"f": null, "g": 1}}));
        assert_eq!(value, json!({"a": [3], "b": {"d": 2}, "e": {"g": 1}}));
    }

    #[test]
    fn conditions_of_a_service_are_merged_by_type_those_of_a_custom_kind_are_replaced() {
        let patch = json!({"status": {"conditions": [{"type": "B", "status": "True"}]}});
        let before = json!({"status": {"conditions": [{"type": "A"}, {"type": "B", "status": "False"}]}});
        let mut service = before.clone();
        merge_lists(&mut service, &patch, "", "services");
        assert_eq!(
            service,
            json!({"status": {"conditions": [{"type": "A"}, {"type": "B", "status": "True"}]}})
        );
        let mut policy = before;
        merge_lists(&mut policy, &patch, "", "authorizationpolicies");
        assert_eq!(policy, patch);
    }
}
