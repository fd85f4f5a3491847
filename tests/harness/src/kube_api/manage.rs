//! Who owns which field: server-side apply.
//!
//! Only what was applied is remembered. A real server also remembers who updated what; a conflict with an update is not
//! shown here.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::answer::Failure;
use super::patch::{join, list_key, merge_lists};
use super::store::Id;

/// A field: names, and `[key]` for an item of a list that is known by a key.
type Field = Vec<String>;

/// The fields that each manager applied, per object.
#[derive(Debug, Default)]
pub(crate) struct Managers(HashMap<Id, HashMap<String, BTreeSet<Field>>>);

impl Managers {
    pub(crate) fn forget(&mut self, id: &Id) {
        self.0.remove(id);
    }

    /// The object after `manager` applied `wanted` to it.
    pub(crate) fn apply(
        &mut self,
        id: &Id,
        manager: &str,
        live: &Value,
        wanted: &Value,
        force: bool,
    ) -> Result<Value, Failure> {
        let mut now = BTreeSet::new();
        fields(wanted, "", &id.plural, &mut Vec::new(), &mut now);
        now.retain(|field| !is_identity(field));
        let all = self.0.entry(id.clone()).or_default();
        for (other, theirs) in all.iter_mut().filter(|(other, _)| *other != manager) {
            let differs = |field: &&Field| at(live, field) != at(wanted, field);
            let taken: Vec<Field> = theirs.intersection(&now).filter(differs).cloned().collect();
            if !taken.is_empty() && !force {
                let first = taken[0].join(".");
                let why = format!("Apply failed with 1 conflict: conflict with {other:?}: .{first}");
                return Err(Failure::new(409, "Conflict", why));
            }
            theirs.retain(|field| !taken.contains(field));
        }
        let before = all.insert(manager.to_owned(), now.clone()).unwrap_or_default();
        let mut next = live.clone();
        for field in before.difference(&now) {
            if !all.values().any(|theirs| theirs.contains(field)) {
                remove(&mut next, field);
            }
        }
        merge_lists(&mut next, wanted, "", &id.plural);
        Ok(next)
    }
}

fn is_identity(field: &[String]) -> bool {
    match field {
        [one] => one == "apiVersion" || one == "kind",
        [metadata, field] => metadata == "metadata" && matches!(field.as_str(), "name" | "namespace"),
        _ => false,
    }
}

/// All leaves. A list without keys is a leaf.
fn fields(value: &Value, path: &str, resource: &str, above: &mut Field, into: &mut BTreeSet<Field>) {
    let mut below = |name: String, value: &Value, path: &str, into: &mut BTreeSet<Field>| {
        above.push(name);
        fields(value, path, resource, above, into);
        above.pop();
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                below(name.clone(), value, &join(path, name), into);
            }
        }
        Value::Array(items) if list_key(resource, path).is_some() => {
            let key = list_key(resource, path).unwrap_or_default();
            for item in items {
                let name = format!("[{key}={}]", item[key].as_str().unwrap_or_default());
                below(name, item, &join(path, "[]"), into);
            }
        }
        _ => {
            into.insert(above.clone());
        }
    }
}

/// `[key=value]`, the item of a list.
fn item(part: &str) -> Option<(&str, &str)> {
    part.strip_prefix('[')?.strip_suffix(']')?.split_once('=')
}

fn at<'a>(value: &'a Value, field: &[String]) -> Option<&'a Value> {
    let Some((part, rest)) = field.split_first() else { return Some(value) };
    let below = match item(part) {
        Some((key, wanted)) => value.as_array()?.iter().find(|item| item[key] == wanted)?,
        None => value.get(part)?,
    };
    at(below, rest)
}

fn remove(value: &mut Value, field: &[String]) {
    let Some((part, rest)) = field.split_first() else { return };
    if let Some((key, wanted)) = item(part) {
        let Some(list) = value.as_array_mut() else { return };
        // An item whose key is given up is given up.
        if rest.first().is_some_and(|name| name == key) {
            list.retain(|item| item[key] != wanted);
        } else if let Some(item) = list.iter_mut().find(|item| item[key] == wanted) {
            remove(item, rest);
        }
        return;
    }
    let Some(map) = value.as_object_mut() else { return };
    if rest.is_empty() {
        map.remove(part);
    } else if let Some(below) = map.get_mut(part) {
        remove(below, rest);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(plural: &str) -> Id {
        Id { group: String::new(), plural: plural.to_owned(), namespace: "n".into(), name: "x".into() }
    }

    #[test]
    fn what_is_no_longer_applied_goes_and_what_others_own_stays() {
        let mut managers = Managers::default();
        let id = id("services");
        let conditions = |types: &[&str]| {
            let all: Vec<Value> = types.iter().map(|t| json!({"type": t, "status": "True"})).collect();
            json!({"status": {"conditions": all}})
        };
        let one = managers.apply(&id, "me", &json!({}), &conditions(&["A", "B"]), false).unwrap();
        let two = managers.apply(&id, "other", &one, &conditions(&["C"]), false).unwrap();
        assert_eq!(two, conditions(&["A", "B", "C"]));
        let three = managers.apply(&id, "me", &two, &conditions(&["B"]), false).unwrap();
        assert_eq!(three, conditions(&["B", "C"]));
    }

    #[test]
    fn a_field_of_another_is_taken_by_force_only() {
        let mut managers = Managers::default();
        let id = id("configmaps");
        let live = managers.apply(&id, "other", &json!({}), &json!({"data": {"a": "1"}}), false).unwrap();
        let wanted = json!({"data": {"a": "2"}});
        let refused = managers.apply(&id, "me", &live, &wanted, false).unwrap_err();
        assert_eq!(refused.code, 409);
        assert_eq!(managers.apply(&id, "me", &live, &wanted, true).unwrap(), wanted);
    }
}
