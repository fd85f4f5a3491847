//! The part of JSON Schema that values.schema.json uses. What it does not know it refuses.

use serde_json::Value;

/// What of the values the schema does not take.
pub(super) fn check(values: &Value, schema: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    at(values, schema, "", &mut problems);
    problems
}

fn at(value: &Value, schema: &Value, path: &str, problems: &mut Vec<String>) {
    let Some(rules) = schema.as_object() else { return };
    let name = if path.is_empty() { "the values" } else { path };
    for (rule, wanted) in rules {
        match rule.as_str() {
            "type" if !is_of(value, wanted) => {
                problems.push(format!("{name}: is {value}, and must be of type {wanted}"));
                // The rest would only repeat it.
                return;
            }
            "enum" if !wanted.as_array().is_some_and(|choices| choices.contains(value)) => {
                problems.push(format!("{name}: is {value}, and must be one of {wanted}"));
            }
            "minimum" if value.as_f64() < wanted.as_f64() => {
                problems.push(format!("{name}: is {value}, and must be at least {wanted}"));
            }
            "minLength"
                if value.as_str().is_some_and(|text| (text.len() as u64) < wanted.as_u64().unwrap_or(0)) =>
            {
                problems.push(format!("{name}: must not be empty"));
            }
            "properties" | "additionalProperties" => {}
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    at(item, wanted, &format!("{path}[{index}]"), problems);
                }
            }
            "type" | "enum" | "minimum" | "minLength" | "$schema" | "title" | "description" => {}
            rule => problems.push(format!("{name}: the schema has a rule {rule}, which is not known here")),
        }
    }
    let properties = rules.get("properties").and_then(Value::as_object);
    for (key, value) in value.as_object().into_iter().flatten() {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match properties.and_then(|properties| properties.get(key)) {
            Some(schema) => at(value, schema, &below, problems),
            None => match rules.get("additionalProperties") {
                Some(Value::Bool(false)) => {
                    let known = properties.into_iter().flat_map(|known| known.keys().map(String::as_str));
                    let known = known.collect::<Vec<_>>().join(", ");
                    problems.push(format!("{below}: is not known; here are {known}"));
                }
                Some(schema) => at(value, schema, &below, problems),
                None => {}
            },
        }
    }
}

fn is_of(value: &Value, wanted: &Value) -> bool {
    match wanted.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_problem_is_said_with_its_place() {
        let schema = json!({"type": "object", "additionalProperties": false, "properties": {
            "a": {"type": "integer", "minimum": 1},
            "b": {"enum": ["x", "y"]},
            "c": {"type": "array", "items": {"type": "string"}},
            "d": {"type": "object", "additionalProperties": {"type": "string"}},
        }});
        let values = json!({"a": 0, "b": "z", "c": ["q", 1], "d": {"k": true}, "e": 1});
        let expected = [
            "a: is 0, and must be at least 1",
            "b: is \"z\", and must be one of [\"x\",\"y\"]",
            "c[1]: is 1, and must be of type \"string\"",
            "d.k: is true, and must be of type \"string\"",
            "e: is not known; here are a, b, c, d",
        ];
        assert_eq!(check(&values, &schema), expected);
        assert_eq!(check(&json!({"a": 1, "b": "x", "d": {"k": "v"}}), &schema), Vec::<String>::new());
        assert_eq!(check(&json!({}), &json!({"pattern": "x"})).len(), 1);
    }
}
