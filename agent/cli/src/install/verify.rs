//! Whether a cluster has what was installed, as it was.

use serde::Serialize;
use serde_json::Value;

use super::apply::substance;
use super::plan::{Plan, What};
use super::{InstallError, readiness};
use crate::cluster::{Cluster, ClusterError, ObjectRef, Write};

/// What is not as it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// With which object.
    #[serde(flatten)]
    pub object: ObjectRef,
    /// What.
    pub problem: String,
}

/// All that is not as the plan has it: missing, changed by somebody, or not ready.
///
/// # Errors
/// The cluster does not say.
pub async fn verify(cluster: &Cluster, plan: &Plan) -> Result<Vec<Finding>, InstallError> {
    let mut findings = Vec::new();
    for (step, object) in plan.steps.iter().filter(|(step, _)| step.what != What::Leave) {
        let mut find = |problem: String| findings.push(Finding { object: step.object.clone(), problem });
        let Some(live) = cluster.get(&step.object).await? else {
            find("is not there".to_owned());
            continue;
        };
        // What the server would make of it, were it applied: what differs, somebody else wrote.
        match cluster.apply(object, Write::Dry).await {
            Ok(wanted) => {
                let mut fields = Vec::new();
                differences("", &substance(&live), &substance(&wanted), &mut fields);
                if !fields.is_empty() {
                    find(format!("was changed: {}", fields.join(", ")));
                }
            }
            Err(ClusterError::Refused { code: 403, message, .. }) => {
                find(format!("cannot be compared: {message}"))
            }
            Err(error) => return Err(error.into()),
        }
    }
    let objects: Vec<_> = plan.objects().cloned().collect();
    for one in readiness(cluster, &objects).await?.into_iter().filter(|one| !one.is_ready) {
        let missing = one.reasons.first().is_some_and(|reason| reason == "it is not there");
        if !missing {
            let reasons: Vec<_> = one.reasons.iter().map(|reason| format!("; {reason}")).collect();
            let problem = format!("{} of {} ready{}", one.ready, one.wanted, reasons.concat());
            findings.push(Finding { object: one.object, problem });
        }
    }
    Ok(findings)
}

/// Paths of what differs, the deepest that say all.
fn differences(path: &str, live: &Value, wanted: &Value, into: &mut Vec<String>) {
    match (live, wanted) {
        (live, wanted) if live == wanted => {}
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                differences(
                    &below,
                    a.get(key).unwrap_or(&Value::Null),
                    b.get(key).unwrap_or(&Value::Null),
                    into,
                );
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{at}]"), a, b, into);
            }
        }
        _ => into.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_told_by_their_paths() {
        let live = json!({"a": {"b": [1, {"c": 2}], "d": 1}, "e": 1});
        let wanted = json!({"a": {"b": [1, {"c": 3}]}, "e": 1});
        let mut paths = Vec::new();
        differences("", &live, &wanted, &mut paths);
        assert_eq!(paths, ["a.b[1].c", "a.d"]);
    }
}
