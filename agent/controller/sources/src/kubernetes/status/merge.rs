//! Our conditions among those of others.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use weir_resources::{CONTROLLER_NAME, Condition};

use super::StatusPatch;

mod gateway;

/// The fields of `status` to write; `None` if all is as it should be.
pub(super) fn merged(status: &Value, patch: &StatusPatch, now: &str) -> Option<Value> {
    let mut fields = Map::new();
    let before: Vec<Value> = status["conditions"].as_array().cloned().unwrap_or_default();
    let mut after = before.clone();
    after.retain(|is| !patch.remove.iter().any(|kind| is["type"] == kind.as_str()));
    put(&mut after, &patch.conditions, now);
    if after != before {
        fields.insert("conditions".to_owned(), Value::Array(after));
    }
    if let Some(addresses) = &patch.addresses {
        let entry = |(host, address): &(Arc<str>, IpAddr)| json!({"value": address, "host": **host});
        let wanted: Vec<Value> = addresses.iter().map(entry).collect();
        if status["addresses"].as_array().is_none_or(|is| *is != wanted) {
            fields.insert("addresses".to_owned(), Value::Array(wanted));
        }
    }
    if let Some(wanted) = &patch.parents {
        let before: Vec<Value> = status["parents"].as_array().cloned().unwrap_or_default();
        let after = parents(&before, wanted, now);
        if after != before {
            fields.insert("parents".to_owned(), Value::Array(after));
        }
    }
    if let Some(wanted) = &patch.gateway {
        fields.extend(gateway::fields(status, wanted, now));
    }
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// The conditions of a status with those that are wanted and without those that are not; `None` if they are so.
pub(in crate::kubernetes) fn put_conditions(
    status: &Value,
    wanted: &[Condition],
    remove: &[&str],
    now: &str,
) -> Option<Vec<Value>> {
    let before: Vec<Value> = status["conditions"].as_array().cloned().unwrap_or_default();
    let mut after = before.clone();
    after.retain(|is| !remove.iter().any(|kind| is["type"] == *kind));
    put(&mut after, wanted, now);
    (after != before).then_some(after)
}

fn put(conditions: &mut Vec<Value>, wanted: &[Condition], now: &str) {
    for condition in wanted {
        match conditions.iter_mut().find(|is| is["type"] == condition.kind.as_str()) {
            Some(is) => update(is, condition, now),
            None => conditions.push(created(condition, now)),
        }
    }
}

/// Other controllers' entries as they are, then ours: those that are wanted and no others.
fn parents(before: &[Value], wanted: &[(Value, Vec<Condition>)], now: &str) -> Vec<Value> {
    let is_ours = |entry: &&Value| entry["controllerName"] == CONTROLLER_NAME;
    let others = before.iter().filter(|entry| !is_ours(entry)).cloned();
    let ours = wanted.iter().map(|(parent, conditions)| {
        let is = before.iter().filter(is_ours).find(|entry| entry["parentRef"] == *parent);
        let is = is.and_then(|entry| entry["conditions"].as_array()).cloned().unwrap_or_default();
        let is_wanted = |is: &Value| conditions.iter().any(|wanted| is["type"] == wanted.kind.as_str());
        let mut all: Vec<Value> = is.into_iter().filter(is_wanted).collect();
        put(&mut all, conditions, now);
        json!({"parentRef": parent, "controllerName": CONTROLLER_NAME, "conditions": all})
    });
    let wanted: Vec<Value> = others.chain(ours).collect();
    // The order of the list is nobody's business.
    let is_same = wanted.len() == before.len() && wanted.iter().all(|entry| before.contains(entry));
    if is_same { before.to_vec() } else { wanted }
}

fn update(is: &mut Value, condition: &Condition, now: &str) {
    let wanted = created(condition, now);
    // Istio writes the generation as a text.
    let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default();
    let same = ["status", "reason", "message"].iter().all(|field| is[*field] == wanted[*field])
        && number(&is["observedGeneration"]) == condition.observed_generation;
    if same {
        return;
    }
    let since = (is["status"] == wanted["status"]).then(|| is["lastTransitionTime"].clone());
    *is = wanted;
    if let Some(since) = since.filter(Value::is_string) {
        is["lastTransitionTime"] = since;
    }
}

fn created(condition: &Condition, now: &str) -> Value {
    let mut value = json!({
        "type": condition.kind, "status": condition.status, "reason": condition.reason,
        "message": cut(&condition.message), "lastTransitionTime": now,
    });
    if condition.observed_generation != 0 {
        value["observedGeneration"] = json!(condition.observed_generation);
    }
    value
}

/// A message that the API takes: conditions of Kubernetes' own kinds may have 32 KiB.
fn cut(message: &str) -> &str {
    let end = message.floor_char_boundary(MAX_MESSAGE);
    &message[..end]
}

const MAX_MESSAGE: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use weir_resources::{Key, Kind};

    use super::*;

    fn accepted(status: &str, generation: i64) -> Condition {
        Condition {
            kind: "Accepted".into(),
            status: status.into(),
            reason: "Accepted".into(),
            message: "fine".into(),
            observed_generation: generation,
        }
    }

    fn patch(conditions: Vec<Condition>, remove: &[&str]) -> StatusPatch {
        let key = Key::new(Kind::ServiceEntry, "n", "x");
        let remove = remove.iter().map(|&kind| kind.to_owned()).collect();
        StatusPatch { key, generation: 1, conditions, remove, addresses: None, parents: None, gateway: None }
    }

    #[test]
    fn conditions_of_others_stay_and_a_time_changes_with_the_status_only() {
        let other = json!({"type": "Other", "status": "True", "extra": 1});
        let status = json!({"conditions": [other]});
        let first = merged(&status, &patch(vec![accepted("True", 1)], &[]), "T1").unwrap();
        assert_eq!(first["conditions"][0], other);
        assert_eq!(first["conditions"][1]["lastTransitionTime"], "T1");
        assert_eq!(merged(&first, &patch(vec![accepted("True", 1)], &[]), "T2"), None);
        let second = merged(&first, &patch(vec![accepted("True", 2)], &[]), "T2").unwrap();
        assert_eq!(second["conditions"][1]["lastTransitionTime"], "T1");
        assert_eq!(second["conditions"][1]["observedGeneration"], 2);
        let third = merged(&second, &patch(vec![accepted("False", 2)], &[]), "T3").unwrap();
        assert_eq!(third["conditions"][1]["lastTransitionTime"], "T3");
        let last = merged(&third, &patch(vec![], &["Accepted"]), "T4").unwrap();
        assert_eq!(last, status);
    }

    #[test]
    fn a_generation_as_text_is_the_same_number() {
        let written = json!({"conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted",
            "message": "fine", "observedGeneration": "7"}]});
        assert_eq!(merged(&written, &patch(vec![accepted("True", 7)], &[]), "T"), None);
    }

    #[test]
    fn addresses_are_written_once() {
        let mut wish = patch(vec![], &[]);
        wish.addresses = Some(vec![("a.example".into(), "240.240.0.1".parse().unwrap())]);
        let status = merged(&Value::Null, &wish, "T").unwrap();
        assert_eq!(status, json!({"addresses": [{"value": "240.240.0.1", "host": "a.example"}]}));
        assert_eq!(merged(&status, &wish, "T"), None);
    }

    #[test]
    fn parents_of_others_stay_and_ours_are_those_that_are_wanted() {
        let other = json!({"controllerName": "other", "parentRef": {"name": "web"}, "conditions": []});
        let before = json!({"parents": [other]});
        let wish = |parents: &[(&str, &str)]| {
            let entry = |(name, status): &(&str, &str)| (json!({"name": name}), vec![accepted(status, 1)]);
            StatusPatch { parents: Some(parents.iter().map(entry).collect()), ..patch(vec![], &[]) }
        };
        let first = merged(&before, &wish(&[("web", "True"), ("db", "False")]), "T1").unwrap();
        assert_eq!(first["parents"][0], other);
        assert_eq!(first["parents"][1]["controllerName"], "weir.dev/controller");
        assert_eq!(first["parents"][1]["parentRef"], json!({"name": "web"}));
        assert_eq!(first["parents"][1]["conditions"][0]["lastTransitionTime"], "T1");
        assert_eq!(merged(&first, &wish(&[("db", "False"), ("web", "True")]), "T2"), None);
        let second = merged(&first, &wish(&[("web", "False")]), "T2").unwrap();
        assert_eq!(second["parents"].as_array().unwrap().len(), 2);
        assert_eq!(second["parents"][1]["conditions"][0]["lastTransitionTime"], "T2");
        assert_eq!(merged(&second, &wish(&[]), "T3").unwrap(), before);
        assert_eq!(merged(&before, &patch(vec![], &[]), "T3"), None);
    }

    #[test]
    fn a_message_too_long_is_cut_and_not_written_again() {
        let mut long = accepted("True", 1);
        long.message = "é".repeat(MAX_MESSAGE);
        let wish = patch(vec![long], &[]);
        let status = merged(&Value::Null, &wish, "T").unwrap();
        assert_eq!(status["conditions"][0]["message"].as_str().unwrap().len(), MAX_MESSAGE);
        assert_eq!(merged(&status, &wish, "T2"), None);
    }
}
