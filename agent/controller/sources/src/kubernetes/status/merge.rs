//! Our conditions among those of others.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use weir_resources::Condition;

use super::StatusPatch;

/// The fields of `status` to write; `None` if all is as it should be.
pub(super) fn merged(status: &Value, patch: &StatusPatch, now: &str) -> Option<Value> {
    let mut fields = Map::new();
    let before: Vec<Value> = status["conditions"].as_array().cloned().unwrap_or_default();
    let mut after = before.clone();
    after.retain(|is| !patch.remove.iter().any(|kind| is["type"] == kind.as_str()));
    for condition in &patch.conditions {
        match after.iter_mut().find(|is| is["type"] == condition.kind.as_str()) {
            Some(is) => update(is, condition, now),
            None => after.push(created(condition, now)),
        }
    }
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
    (!fields.is_empty()).then_some(Value::Object(fields))
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
        StatusPatch { key, generation: 1, conditions, remove, addresses: None }
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
    fn a_message_too_long_is_cut_and_not_written_again() {
        let mut long = accepted("True", 1);
        long.message = "é".repeat(MAX_MESSAGE);
        let wish = patch(vec![long], &[]);
        let status = merged(&Value::Null, &wish, "T").unwrap();
        assert_eq!(status["conditions"][0]["message"].as_str().unwrap().len(), MAX_MESSAGE);
        assert_eq!(merged(&status, &wish, "T2"), None);
    }
}
