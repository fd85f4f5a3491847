//! ReferenceGrants: who may refer to what in another namespace.

use serde_json::Value;
use weir_routing::Grant;

/// Whether a grant's `spec` permits it. What cannot be read permits nothing.
pub(super) fn permits(spec: &Value, wanted: &Grant<'_>) -> bool {
    let list = |name: &str| spec.get(name).and_then(Value::as_array).into_iter().flatten();
    let text = |entry: &Value, name: &str| match entry.get(name) {
        None | Some(Value::Null) => Some(String::new()),
        Some(value) => value.as_str().map(str::to_owned),
    };
    let is = |entry: &Value, name: &str, wanted: &str| text(entry, name).is_some_and(|text| text == wanted);
    let from = |entry: &Value| {
        is(entry, "group", ROUTES)
            && is(entry, "kind", wanted.from_kind)
            && is(entry, "namespace", wanted.from_namespace)
    };
    let to = |entry: &Value| {
        let group = text(entry, "group").map(|group| if group == "core" { String::new() } else { group });
        // An empty name is that of everything.
        let is_named = text(entry, "name").is_some_and(|name| name.is_empty() || name == wanted.to_name);
        group.is_some_and(|group| group == wanted.to_group) && is(entry, "kind", wanted.to_kind) && is_named
    };
    list("from").any(from) && list("to").any(to)
}

const ROUTES: &str = "gateway.networking.k8s.io";

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::all_services(json!({"kind": "Service"}), true)]
    #[case::this_one(json!({"group": "", "kind": "Service", "name": "web"}), true)]
    #[case::another(json!({"kind": "Service", "name": "db"}), false)]
    #[case::a_secret(json!({"kind": "Secret"}), false)]
    #[case::a_name_that_is_none(json!({"kind": "Service", "name": 7}), false)]
    fn what_a_grant_permits(#[case] to: Value, #[case] expected: bool) {
        let from = |kind: &str, namespace: &str| json!({"group": "gateway.networking.k8s.io", "kind": kind, "namespace": namespace});
        let spec = |from: Value| json!({"from": [from], "to": [to.clone()]});
        let wanted = Grant {
            from_kind: "HTTPRoute",
            from_namespace: "shop",
            to_group: "",
            to_kind: "Service",
            to_namespace: "bank",
            to_name: "web",
        };
        assert_eq!(permits(&spec(from("HTTPRoute", "shop")), &wanted), expected);
        assert!(!permits(&spec(from("GRPCRoute", "shop")), &wanted));
        assert!(!permits(&spec(from("HTTPRoute", "other")), &wanted));
        assert!(!permits(&Value::Null, &wanted));
    }
}
