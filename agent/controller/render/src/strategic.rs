//! Kubernetes' strategic merge: a piece of an object laid over an object. Objects are merged field by field, null takes a
//! field away, and a list is merged by its key where it has one. `$patch: delete` and `$patch: replace` are understood; other
//! directives are for programs that compare two versions, and are refused.

use serde_json::{Map, Value};
use weir_resources::Problem;

use crate::schema::{List, list};

/// Lays `patch` over `target`.
///
/// # Errors
/// A directive that is not understood, or an item without the field by which it is known. `target` is garbage then.
pub(crate) fn merge(target: &mut Value, patch: &Value) -> Result<(), Problem> {
    lay(target, patch, &mut Vec::new())
}

fn lay<'p>(target: &mut Value, patch: &'p Value, path: &mut Vec<&'p str>) -> Result<(), Problem> {
    match patch {
        Value::Object(fields) => match directive(fields, path)? {
            Directive::Merge => lay_fields(target, fields, path),
            Directive::Replace => {
                *target = Value::Null;
                lay_fields(target, fields, path)
            }
            Directive::Delete => {
                *target = Value::Null;
                Ok(())
            }
        },
        Value::Array(items) => match list(path) {
            List::By(key) => lay_items(target, items, key, path),
            List::Set => {
                let mut all = target.as_array().cloned().unwrap_or_default();
                all.extend(items.iter().filter(|item| !all.contains(item)).cloned().collect::<Vec<_>>());
                *target = all.into();
                Ok(())
            }
            List::Whole => {
                *target = plain(patch, path)?;
                Ok(())
            }
        },
        _ => {
            *target = patch.clone();
            Ok(())
        }
    }
}

fn lay_fields<'p>(
    target: &mut Value,
    fields: &'p Map<String, Value>,
    path: &mut Vec<&'p str>,
) -> Result<(), Problem> {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(into) = target.as_object_mut() else { return Ok(()) };
    for (name, value) in fields.iter().filter(|(name, _)| *name != DIRECTIVE) {
        if value.is_null() {
            into.remove(name);
            continue;
        }
        path.push(name);
        lay(into.entry(name.clone()).or_insert(Value::Null), value, path)?;
        path.pop();
        // It asked for its own end.
        if into.get(name).is_some_and(Value::is_null) {
            into.remove(name);
        }
    }
    Ok(())
}

fn lay_items<'p>(
    target: &mut Value,
    items: &'p [Value],
    key: &'static str,
    path: &mut Vec<&'p str>,
) -> Result<(), Problem> {
    let mut all = target.as_array().cloned().unwrap_or_default();
    // An item that says nothing else says it of the whole list.
    let whole = items.iter().any(|item| {
        item.as_object().is_some_and(|o| o.len() == 1 && o.get(DIRECTIVE).is_some_and(|d| d == "replace"))
    });
    if whole {
        all.clear();
    }
    for item in items {
        let Some(fields) = item.as_object() else { return Err(wrong(path, "has an item that is no object")) };
        if whole && fields.len() == 1 && fields.contains_key(DIRECTIVE) {
            continue;
        }
        let Some(name) = fields.get(key).filter(|name| !name.is_null()) else {
            return Err(wrong(path, format!("has an item without {key}, by which items are known")));
        };
        let at = all.iter().position(|is| is[key] == *name).unwrap_or_else(|| {
            all.push(Value::Null);
            all.len() - 1
        });
        lay(&mut all[at], item, path)?;
        if all[at].is_null() {
            all.remove(at);
        }
    }
    *target = all.into();
    Ok(())
}

enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(fields: &Map<String, Value>, path: &[&str]) -> Result<Directive, Problem> {
    if let Some(name) = fields.keys().find(|name| name.starts_with('$') && *name != DIRECTIVE) {
        return Err(wrong(path, format!("has {name:?}, a directive that is not understood here")));
    }
    match fields.get(DIRECTIVE).map(|value| value.as_str().unwrap_or_default()) {
        None | Some("merge") => Ok(Directive::Merge),
        Some("replace") => Ok(Directive::Replace),
        Some("delete") => Ok(Directive::Delete),
        Some(other) => Err(wrong(path, format!("{DIRECTIVE}: {other:?} is none of merge, replace, delete"))),
    }
}

/// What replaces is taken as it is, but for nulls; a directive in it has nothing to direct.
fn plain(value: &Value, path: &[&str]) -> Result<Value, Problem> {
    Ok(match value {
        Value::Object(fields) => {
            let mut into = Map::new();
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                if name.starts_with('$') {
                    return Err(wrong(path, format!("has {name:?} in a list that is replaced as a whole")));
                }
                into.insert(name.clone(), plain(value, path)?);
            }
            into.into()
        }
        Value::Array(items) => {
            items.iter().map(|item| plain(item, path)).collect::<Result<Vec<_>, _>>()?.into()
        }
        other => other.clone(),
    })
}

fn wrong(path: &[&str], message: impl Into<String>) -> Problem {
    let field = if path.is_empty() { "the whole".to_owned() } else { path.join(".") };
    Problem::new(field, message.into())
}

const DIRECTIVE: &str = "$patch";

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn pod(spec: Value) -> Value {
        json!({"spec": {"template": {"spec": spec}}})
    }

    #[rstest]
    #[case::fields(json!({"a": 1, "b": {"c": 1, "d": 2}}), json!({"b": {"c": 3}, "e": 4}), json!({"a": 1, "b": {"c": 3, "d": 2}, "e": 4}))]
    #[case::null_removes(json!({"a": 1, "b": {"c": 1}}), json!({"a": null, "b": {"c": null}, "x": null}), json!({"b": {}}))]
    #[case::an_object_replaces_what_is_none(json!({"a": 1}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}}))]
    #[case::replace(json!({"a": {"b": 1}}), json!({"a": {"$patch": "replace", "c": 1}}), json!({"a": {"c": 1}}))]
    #[case::delete(json!({"a": {"b": 1}, "c": 1}), json!({"a": {"$patch": "delete"}}), json!({"c": 1}))]
    #[case::set(json!({"metadata": {"finalizers": ["a"]}}), json!({"metadata": {"finalizers": ["b", "a"]}}), json!({"metadata": {"finalizers": ["a", "b"]}}))]
    #[case::ports_of_a_service(
        json!({"spec": {"ports": [{"port": 1, "name": "a"}]}}),
        json!({"spec": {"ports": [{"port": 2}, {"port": 1, "nodePort": 30001}]}}),
        json!({"spec": {"ports": [{"port": 1, "name": "a", "nodePort": 30001}, {"port": 2}]}}),
    )]
    #[case::containers(
        pod(json!({"containers": [{"name": "a", "image": "x", "env": [{"name": "E", "value": "1"}], "args": ["1", "2"]}]})),
        pod(json!({"containers": [{"name": "a", "env": [{"name": "F"}, {"name": "E", "value": "2"}], "args": ["3"]}, {"name": "b"}]})),
        pod(json!({"containers": [{"name": "a", "image": "x", "env": [{"name": "E", "value": "2"}, {"name": "F"}], "args": ["3"]}, {"name": "b"}]})),
    )]
    #[case::an_item_goes(
        pod(json!({"volumes": [{"name": "a"}, {"name": "b"}]})),
        pod(json!({"volumes": [{"name": "a", "$patch": "delete"}, {"name": "c", "$patch": "delete"}]})),
        pod(json!({"volumes": [{"name": "b"}]})),
    )]
    #[case::a_list_with_keys_is_replaced(
        pod(json!({"volumes": [{"name": "a"}]})),
        pod(json!({"volumes": [{"$patch": "replace"}, {"name": "b"}]})),
        pod(json!({"volumes": [{"name": "b"}]})),
    )]
    #[case::a_list_without_keys(
        pod(json!({"tolerations": [{"key": "a"}]})),
        pod(json!({"tolerations": [{"key": "b", "value": null}]})),
        pod(json!({"tolerations": [{"key": "b"}]})),
    )]
    fn a_patch_is_laid_over(#[case] mut target: Value, #[case] patch: Value, #[case] expected: Value) {
        merge(&mut target, &patch).unwrap();
        assert_eq!(target, expected);
    }

    #[rstest]
    #[case(json!({"$setElementOrder/a": []}), "the whole: has \"$setElementOrder/a\"")]
    #[case(json!({"a": {"$patch": "remove"}}), "a: $patch: \"remove\" is none of")]
    #[case(pod(json!({"containers": [{"image": "x"}]})), "spec.template.spec.containers: has an item without name")]
    #[case(pod(json!({"containers": ["x"]})), "spec.template.spec.containers: has an item that is no object")]
    #[case(json!({"spec": {"metrics": [{"$patch": "delete"}]}}), "spec.metrics: has \"$patch\" in a list that is")]
    fn what_is_not_understood_is_refused(#[case] patch: Value, #[case] message: &str) {
        let problem = merge(&mut json!({}), &patch).unwrap_err();
        assert!(problem.to_string().starts_with(message), "{problem}");
    }
}
