//! Who owns which field: server-side apply, and what it sees of other writes.
//!
//! As in a real server, whoever applies owns what he applies, whoever updates owns what he changed, and a change of another's
//! field takes it from him. Not shown here: lists with keys of several fields, owners per subresource.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::answer::Failure;
use super::patch::{is_atomic, join, list_key, merge_lists};
use super::store::Id;

/// A field: names, and `[key]` for an item of a list that is known by a key.
type Field = Vec<String>;

/// Who wrote, and whether by applying.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Manager {
    name: String,
    applies: bool,
}

/// The fields that each manager owns, per object.
#[derive(Debug, Default)]
pub(crate) struct Managers(HashMap<Id, Owners>);

/// Those of one object.
#[derive(Debug, Default, Clone)]
pub(crate) struct Owners(BTreeMap<Manager, BTreeSet<Field>>);

impl Managers {
    pub(crate) fn forget(&mut self, id: &Id) {
        self.0.remove(id);
    }

    /// The owners of an object that somebody applied; of others nobody has asked.
    pub(crate) fn known(&self, id: &Id) -> Option<Owners> {
        self.0.get(id).cloned()
    }

    /// Those of an object that is to be applied to. Until then it was all of whoever made it.
    pub(crate) fn of(&self, id: &Id, live: Option<&Value>) -> Owners {
        self.known(id).unwrap_or_else(|| {
            let mut owners = Owners::default();
            if let Some(live) = live {
                owners.update(&id.plural, MAKER, None, live);
            }
            owners
        })
    }

    pub(crate) fn set(&mut self, id: &Id, owners: Owners) {
        self.0.insert(id.clone(), owners);
    }
}

impl Owners {
    /// The object after `manager` applied `wanted` to it.
    pub(crate) fn apply(
        &mut self,
        resource: &str,
        manager: &str,
        live: &Value,
        wanted: &Value,
        force: bool,
    ) -> Result<Value, Failure> {
        let mut now = BTreeSet::new();
        fields(wanted, "", resource, &mut Vec::new(), &mut now);
        now.retain(|field| !is_identity(field));
        let me = Manager { name: manager.to_owned(), applies: true };
        for (other, theirs) in self.0.iter_mut().filter(|(other, _)| **other != me) {
            let differs = |field: &&Field| at(live, field) != at(wanted, field);
            let taken: Vec<Field> = theirs.intersection(&now).filter(differs).cloned().collect();
            if !taken.is_empty() && !force {
                let first = taken[0].join(".");
                let name = &other.name;
                let why = format!("Apply failed with 1 conflict: conflict with {name:?}: .{first}");
                return Err(Failure::new(409, "Conflict", why));
            }
            theirs.retain(|field| !taken.contains(field));
        }
        let before = self.0.insert(me, now.clone()).unwrap_or_default();
        let mut next = live.clone();
        for field in before.difference(&now) {
            if !self.0.values().any(|theirs| theirs.contains(field)) {
                remove(&mut next, field);
            }
        }
        merge_lists(&mut next, wanted, "", resource);
        self.0.retain(|_, theirs| !theirs.is_empty());
        Ok(next)
    }

    /// `manager` made `new` of `old`, in another way than by applying.
    pub(crate) fn update(&mut self, resource: &str, manager: &str, old: Option<&Value>, new: &Value) {
        let mut now = BTreeSet::new();
        fields(new, "", resource, &mut Vec::new(), &mut now);
        now.retain(|field| !is_identity(field) && !is_the_servers(field));
        let changed: BTreeSet<Field> = now
            .iter()
            .filter(|field| old.and_then(|old| at(old, field)) != at(new, field))
            .cloned()
            .collect();
        for theirs in self.0.values_mut() {
            theirs.retain(|field| now.contains(field) && !changed.contains(field));
        }
        let me = Manager { name: manager.to_owned(), applies: false };
        self.0.entry(me).or_default().extend(changed);
        self.0.retain(|_, theirs| !theirs.is_empty());
    }

    /// `metadata.managedFields`.
    pub(crate) fn shown(&self, api_version: &str) -> Value {
        let entry = |(manager, fields): (&Manager, &BTreeSet<Field>)| {
            let mut tree = Value::Object(Map::new());
            fields.iter().for_each(|field| plant(&mut tree, field));
            json!({
                "manager": manager.name, "operation": if manager.applies { "Apply" } else { "Update" },
                "apiVersion": api_version, "fieldsType": "FieldsV1", "fieldsV1": tree,
            })
        };
        self.0.iter().map(entry).collect()
    }
}

/// As the API writes sets of fields: `f:name`, and `k:{"key":"value"}` for an item.
fn plant(tree: &mut Value, field: &[String]) {
    let mut here = tree;
    for part in field {
        let name = match item(part) {
            Some((key, value)) => format!("k:{}", json!({(key): value})),
            None => format!("f:{part}"),
        };
        here = &mut here[name];
    }
    if here.is_null() {
        *here = Value::Object(Map::new());
    }
}

/// Who made what nobody applied, in managed fields.
const MAKER: &str = "unknown";

/// Nobody owns these.
fn is_the_servers(field: &[String]) -> bool {
    let [metadata, name, ..] = field else { return false };
    let names = ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"];
    metadata == "metadata" && names.contains(&name.as_str())
}

fn is_identity(field: &[String]) -> bool {
    match field {
        [one] => one == "apiVersion" || one == "kind",
        [metadata, field] => metadata == "metadata" && matches!(field.as_str(), "name" | "namespace"),
        _ => false,
    }
}

/// All leaves. A list without keys is a leaf, and so is an atomic object.
fn fields(value: &Value, path: &str, resource: &str, above: &mut Field, into: &mut BTreeSet<Field>) {
    let mut below = |name: String, value: &Value, path: &str, into: &mut BTreeSet<Field>| {
        above.push(name);
        fields(value, path, resource, above, into);
        above.pop();
    };
    match value {
        Value::Object(map) if !map.is_empty() && !is_atomic(resource, path) => {
            for (name, value) in map {
                below(name.clone(), value, &join(path, name), into);
            }
        }
        Value::Array(items) if list_key(resource, path).is_some() => {
            let key = list_key(resource, path).unwrap_or_default();
            for item in items {
                let name = format!("[{key}={}]", text(&item[key]));
                below(name, item, &join(path, "[]"), into);
            }
        }
        _ => {
            into.insert(above.clone());
        }
    }
}

/// A key's value: a text or a number.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `[key=value]`, the item of a list.
fn item(part: &str) -> Option<(&str, &str)> {
    part.strip_prefix('[')?.strip_suffix(']')?.split_once('=')
}

fn at<'a>(value: &'a Value, field: &[String]) -> Option<&'a Value> {
    let Some((part, rest)) = field.split_first() else { return Some(value) };
    let below = match item(part) {
        Some((key, wanted)) => value.as_array()?.iter().find(|item| text(&item[key]) == wanted)?,
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
            list.retain(|item| text(&item[key]) != wanted);
        } else if let Some(item) = list.iter_mut().find(|item| text(&item[key]) == wanted) {
            remove(item, rest);
        }
        return;
    }
    let Some(map) = value.as_object_mut() else { return };
    if rest.is_empty() {
        map.remove(part);
    } else if let Some(below) = map.get_mut(part) {
        remove(below, rest);
        // What is empty is not written.
        if below.as_object().is_some_and(Map::is_empty) || below.as_array().is_some_and(Vec::is_empty) {
            map.remove(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_longer_applied_goes_and_what_others_own_stays() {
        let mut owners = Owners::default();
        let conditions = |types: &[&str]| {
            let all: Vec<Value> = types.iter().map(|t| json!({"type": t, "status": "True"})).collect();
            json!({"status": {"conditions": all}})
        };
        let one = owners.apply("services", "me", &json!({}), &conditions(&["A", "B"]), false).unwrap();
        let two = owners.apply("services", "other", &one, &conditions(&["C"]), false).unwrap();
        assert_eq!(two, conditions(&["A", "B", "C"]));
        let three = owners.apply("services", "me", &two, &conditions(&["B"]), false).unwrap();
        assert_eq!(three, conditions(&["B", "C"]));
    }

    #[test]
    fn a_field_of_another_is_taken_by_force_only() {
        let mut owners = Owners::default();
        let live =
            owners.apply("configmaps", "other", &json!({}), &json!({"data": {"a": "1"}}), false).unwrap();
        let wanted = json!({"data": {"a": "2"}});
        let refused = owners.apply("configmaps", "me", &live, &wanted, false).unwrap_err();
        assert_eq!(refused.code, 409);
        assert_eq!(owners.apply("configmaps", "me", &live, &wanted, true).unwrap(), wanted);
    }

    #[test]
    fn who_updates_a_field_owns_it() {
        let mut owners = Owners::default();
        let ours = json!({"spec": {"replicas": 1, "paused": false}});
        let live = owners.apply("deployments", "me", &json!({}), &ours, false).unwrap();
        let scaled = json!({"spec": {"replicas": 5, "paused": false}});
        owners.update("deployments", "scaler", Some(&live), &scaled);
        let shown = owners.shown("apps/v1");
        assert_eq!(shown[0]["manager"], "me");
        assert_eq!(shown[0]["fieldsV1"], json!({"f:spec": {"f:paused": {}}}));
        assert_eq!(shown[1]["operation"], "Update");
        assert_eq!(shown[1]["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
        let refused = owners.clone().apply("deployments", "me", &scaled, &ours, false).unwrap_err();
        assert!(refused.message.contains("conflict with \"scaler\""), "{}", refused.message);
        let rest = json!({"spec": {"paused": false}});
        assert_eq!(owners.apply("deployments", "me", &scaled, &rest, false).unwrap(), scaled);
    }
}
