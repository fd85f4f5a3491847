//! What the server writes into an object itself.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::kube_api::kinds::KindDef;

/// Fills in what the server owns: version of the API, uid, times, generation, defaults of a few kinds.
pub(crate) fn complete(kind: &KindDef, old: Option<&Value>, object: &mut Value) {
    object["apiVersion"] = json!(kind.preferred());
    object["kind"] = json!(kind.kind);
    let given = |field: &str, object: &Value| object["metadata"].get(field).cloned();
    let kept = |field: &str| old.and_then(|old| old["metadata"].get(field).cloned());
    let uid = kept("uid").or_else(|| given("uid", object)).unwrap_or_else(|| json!(new_uid()));
    let created = kept("creationTimestamp").or_else(|| given("creationTimestamp", object));
    let created = created.filter(|value| !value.is_null()).unwrap_or_else(|| json!(now()));
    let metadata = &mut object["metadata"];
    metadata["uid"] = uid;
    metadata["creationTimestamp"] = created;
    if let Some(version) = kept("resourceVersion") {
        metadata["resourceVersion"] = version;
    }
    if kind.custom {
        let before = old.and_then(|old| old["metadata"]["generation"].as_i64()).unwrap_or(0);
        let changed = old.is_none_or(|old| desired(old) != desired(object));
        object["metadata"]["generation"] = json!(before + i64::from(changed));
    }
    match kind.kind.as_str() {
        "Namespace" if object.get("status").is_none() => object["status"] = json!({"phase": "Active"}),
        "Pod" if object.get("status").is_none() => object["status"] = json!({"phase": "Pending"}),
        "Service" => complete_service(object),
        "Deployment" if object["spec"].get("replicas").is_none() => object["spec"]["replicas"] = json!(1),
        "CustomResourceDefinition" => {
            let is = |kind| json!({"type": kind, "status": "True", "reason": "Fine", "message": ""});
            object["status"] = json!({"conditions": [is("NamesAccepted"), is("Established")]});
        }
        _ => {}
    }
}

/// Whether two states of an object are the same to who reads it.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    let strip = |value: &Value| {
        let mut value = value.clone();
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        value
    };
    strip(a) == strip(b)
}

/// Now, as the API writes times.
pub(crate) fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// The date of a day since 1970: eras of 400 years that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

/// All that a user wants of an object: not its metadata, not its status.
fn desired(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        for field in ["metadata", "status", "apiVersion"] {
            fields.remove(field);
        }
    }
    object
}

fn complete_service(object: &mut Value) {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let spec = &mut object["spec"];
    if spec["type"] == json!("ExternalName") {
        return;
    }
    if spec.get("clusterIP").is_none() {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        spec["clusterIP"] = json!(format!("10.96.{}.{}", n / 250 % 250, n % 250 + 1));
    }
    if spec.get("clusterIPs").is_none() {
        spec["clusterIPs"] = json!([spec["clusterIP"]]);
    }
}

fn new_uid() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{:08x}-0000-4000-8000-{:012x}", std::process::id(), n)
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(59), (1970, 3, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_778), (2026, 11, 21));
    }
}
