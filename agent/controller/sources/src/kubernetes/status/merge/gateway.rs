//! What Gateways and their classes say beside conditions.

use serde_json::{Map, Value, json};
use weir_resources::GatewayStatus;

/// The fields of `status` to write.
pub(super) fn fields(status: &Value, wanted: &GatewayStatus, now: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |name: &str, wanted: Value| {
        if status[name] != wanted {
            fields.insert(name.to_owned(), wanted);
        }
    };
    if let Some(addresses) = &wanted.addresses {
        put("addresses", json!(addresses));
    }
    if let Some(features) = &wanted.features {
        put("supportedFeatures", features.iter().map(|name| json!({"name": **name})).collect());
    }
    if let Some(listeners) = &wanted.listeners {
        let before = status["listeners"].as_array().map(Vec::as_slice).unwrap_or_default();
        let listener = |(fields, conditions): &(Value, Vec<_>)| {
            let is = before.iter().find(|is| is["name"] == fields["name"]);
            let mut all = is.and_then(|is| is["conditions"].as_array()).cloned().unwrap_or_default();
            super::put(&mut all, conditions, now);
            let mut listener = fields.clone();
            listener["conditions"] = all.into();
            listener
        };
        put("listeners", listeners.iter().map(listener).collect());
    }
    fields
}

#[cfg(test)]
mod tests {
    use weir_resources::Condition;

    use super::*;

    #[test]
    fn a_time_of_a_listener_changes_with_its_status_only() {
        let wish = |status: &str| GatewayStatus {
            addresses: Some(vec![json!({"type": "IPAddress", "value": "10.0.0.1"})]),
            listeners: Some(vec![(
                json!({"name": "mesh", "attachedRoutes": 0}),
                vec![Condition {
                    kind: "Accepted".into(),
                    status: status.into(),
                    reason: "x".into(),
                    message: String::new(),
                    observed_generation: 1,
                }],
            )]),
            features: Some(vec!["Mesh".into()]),
        };
        let first = Value::Object(fields(&Value::Null, &wish("True"), "T1"));
        assert_eq!(first["supportedFeatures"], json!([{"name": "Mesh"}]));
        assert_eq!(first["listeners"][0]["conditions"][0]["lastTransitionTime"], "T1");
        assert_eq!(fields(&first, &wish("True"), "T2"), Map::new());
        let second = fields(&first, &wish("False"), "T2");
        assert_eq!(second.keys().collect::<Vec<_>>(), ["listeners"]);
        assert_eq!(second["listeners"][0]["conditions"][0]["lastTransitionTime"], "T2");
        assert_eq!(second["listeners"][0]["attachedRoutes"], 0);
    }
}
