//! What is there and says nothing.

use serde_json::Value;

/// For Kubernetes a field that is null is one that is not there. What maps hold is not a field: `headers: {x: null}` is a
/// condition that cannot be read, and not none.
pub(crate) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name.clone(), field(name, value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        value => value.clone(),
    }
}

fn field(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(entries) if MAPS.contains(&name) => {
            let entries = entries.iter().map(|(key, value)| (key.clone(), without_nulls(value)));
            Value::Object(entries.collect())
        }
        value => without_nulls(value),
    }
}

const MAPS: [&str; 8] = [
    "headers",
    "withoutHeaders",
    "queryParams",
    "without_headers",
    "query_params",
    "sourceLabels",
    "labels",
    "set",
];
