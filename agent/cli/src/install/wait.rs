//! Whether what is installed runs.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::InstallError;
use super::reasons::reasons;
use crate::cluster::{Cluster, ObjectRef};
use crate::progress::Progress;

/// How a Deployment or DaemonSet stands.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// Which one.
    #[serde(flatten)]
    pub object: ObjectRef,
    /// Pods that are ready, and of the newest kind.
    pub ready: u64,
    /// Pods that there should be.
    pub wanted: u64,
    /// All is as it should be.
    pub is_ready: bool,
    /// What is in the way, by pod.
    pub reasons: Vec<String>,
}

/// How the workloads among these objects stand, with what is in their way.
///
/// # Errors
/// The cluster does not say.
pub async fn readiness(cluster: &Cluster, objects: &[ObjectRef]) -> Result<Vec<Readiness>, InstallError> {
    explained(cluster, standing(cluster, objects).await?).await
}

/// With what is in the way of those that are not ready.
async fn explained(
    cluster: &Cluster,
    mut all: Vec<(Readiness, Option<Value>)>,
) -> Result<Vec<Readiness>, InstallError> {
    for (readiness, live) in &mut all {
        if let (false, Some(live)) = (readiness.is_ready, live) {
            readiness.reasons = reasons(cluster, live).await?;
        }
    }
    Ok(all.into_iter().map(|(readiness, _)| readiness).collect())
}

/// The same without reasons that would have to be asked for, and the workload as it is there.
async fn standing(
    cluster: &Cluster,
    objects: &[ObjectRef],
) -> Result<Vec<(Readiness, Option<Value>)>, InstallError> {
    let mut all = Vec::new();
    for object in objects.iter().filter(|object| matches!(object.kind.as_str(), "Deployment" | "DaemonSet")) {
        let Some(live) = cluster.get(object).await? else {
            let reasons = vec!["it is not there".to_owned()];
            let missing = Readiness { object: object.clone(), ready: 0, wanted: 1, is_ready: false, reasons };
            all.push((missing, None));
            continue;
        };
        all.push((judge(object, &live), Some(live)));
    }
    Ok(all)
}

/// Waits until all of them are ready.
///
/// # Errors
/// They were not in time, with what is in the way.
pub async fn wait(
    cluster: &Cluster,
    objects: &[ObjectRef],
    limit: Duration,
    progress: &mut Progress,
) -> Result<(), InstallError> {
    let begin = Instant::now();
    loop {
        let all = standing(cluster, objects).await?;
        let waiting: Vec<_> = all.into_iter().filter(|(one, _)| !one.is_ready).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        if begin.elapsed() >= limit {
            let waiting = explained(cluster, waiting).await?.iter().map(Readiness::to_string).collect();
            return Err(InstallError::Unready { seconds: limit.as_secs(), waiting });
        }
        let name = |one: &Readiness| format!("{} ({}/{})", one.object.name, one.ready, one.wanted);
        let names: Vec<_> = waiting.iter().map(|(one, _)| name(one)).collect();
        progress.now(&format!("waiting for {}", names.join(", ")));
        tokio::time::sleep(PAUSE).await;
    }
}

impl std::fmt::Display for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} of {} ready", self.object, self.ready, self.wanted)?;
        for reason in &self.reasons {
            write!(f, "; {reason}")?;
        }
        Ok(())
    }
}

fn judge(object: &ObjectRef, live: &Value) -> Readiness {
    let number = |at: &str| live.pointer(at).and_then(Value::as_u64).unwrap_or_default();
    let is_seen = number("/status/observedGeneration") >= number("/metadata/generation");
    let (ready, updated, wanted, is_whole) = if object.kind == "DaemonSet" {
        let wanted = number("/status/desiredNumberScheduled");
        let updated = match live.pointer("/spec/updateStrategy/type").and_then(Value::as_str) {
            // Whoever replaces his pods himself has them as new as he wants.
            Some("OnDelete") => wanted,
            _ => number("/status/updatedNumberScheduled"),
        };
        (
            number("/status/numberAvailable"),
            updated,
            wanted,
            live.pointer("/status/desiredNumberScheduled").is_some(),
        )
    } else {
        let wanted = live.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
        // Enough new ones may be ready while an old one serves on.
        let updated = number("/status/updatedReplicas");
        (number("/status/availableReplicas"), updated, wanted, number("/status/replicas") <= updated)
    };
    let is_ready = is_seen && is_whole && ready >= wanted && updated >= wanted;
    Readiness { object: object.clone(), ready: ready.min(updated), wanted, is_ready, reasons: Vec::new() }
}

const PAUSE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::all_new("Deployment", json!({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {"observedGeneration": 2, "availableReplicas": 2, "updatedReplicas": 2}}), true)]
    #[case::the_old_ones_serve("Deployment", json!({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {"observedGeneration": 2, "availableReplicas": 2, "updatedReplicas": 1}}), false)]
    #[case::an_old_one_is_left("Deployment", json!({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {"observedGeneration": 2, "replicas": 3, "availableReplicas": 3, "updatedReplicas": 2}}), false)]
    #[case::nobody_looked_yet("Deployment", json!({"metadata": {"generation": 3}, "spec": {"replicas": 1}, "status": {"observedGeneration": 2, "availableReplicas": 1, "updatedReplicas": 1}}), false)]
    #[case::no_status_yet("DaemonSet", json!({"metadata": {"generation": 0}}), false)]
    #[case::no_nodes("DaemonSet", json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 0}}), true)]
    #[case::replaced_by_hand("DaemonSet", json!({"metadata": {"generation": 2}, "spec": {"updateStrategy": {"type": "OnDelete"}}, "status": {"observedGeneration": 2, "desiredNumberScheduled": 3, "numberAvailable": 3, "updatedNumberScheduled": 0}}), true)]
    #[case::rolling("DaemonSet", json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "desiredNumberScheduled": 3, "numberAvailable": 3, "updatedNumberScheduled": 2}}), false)]
    fn ready(#[case] kind: &str, #[case] live: Value, #[case] expected: bool) {
        let object = ObjectRef::new("apps/v1", kind, "weir-system", "x");
        assert_eq!(judge(&object, &live).is_ready, expected);
    }
}
