//! What keeps a workload from being ready, in the cluster's own words.

use serde_json::Value;

use super::{InstallError, old_kernels};
use crate::cluster::Cluster;

/// A line for each of its pods that is not ready, three at most, and for nodes that are too old for what runs on each; where there is no
/// pod, why none is made.
///
/// # Errors
/// The cluster does not list the pods.
pub(super) async fn reasons(cluster: &Cluster, live: &Value) -> Result<Vec<String>, InstallError> {
    let labels = live.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let selector = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let selector = selector.collect::<Vec<_>>().join(",");
    let namespace = text(&live["metadata"], "namespace");
    let pods = cluster.list("v1", "Pod", namespace, &selector).await?;
    // Who may install need not be able to read events: then there is less to say.
    let events = cluster.list("v1", "Event", namespace, "").await.unwrap_or_default();
    if pods.is_empty() {
        return Ok(no_pod(live, &events).into_iter().collect());
    }
    let mut reasons: Vec<_> = pods.iter().filter_map(|pod| reason(pod, &events)).take(MOST).collect();
    if live["kind"] == "DaemonSet" {
        reasons.extend(old_kernels(cluster).await.into_iter().take(MOST));
    }
    Ok(reasons)
}

/// What is in a pod's way: what its container waits for, how it ended before, what the cluster last warned of.
fn reason(pod: &Value, events: &[Value]) -> Option<String> {
    let mut statuses = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    let waiting = statuses.find(|status| status["state"]["waiting"].is_object());
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let failed = conditions.find(|condition| {
        condition["status"] == "False"
            && (condition["type"] == "PodScheduled" || condition["type"] == "Ready")
    });
    let about = waiting.map(|status| &status["state"]["waiting"]).or(failed)?;
    let mut said =
        vec![format!("{} {}", text(about, "reason"), text(about, "message")).trim_end().to_owned()];
    if let Some(end) = waiting.map(|status| &status["lastState"]["terminated"]).filter(|end| end.is_object())
    {
        said.push(format!("its last run ended with {} {}", end["exitCode"], text(end, "reason")));
    }
    let is_its = |event: &&Value| event["involvedObject"]["uid"] == pod["metadata"]["uid"];
    said.extend(last_warning(events.iter().filter(is_its)));
    Some(format!("pod {}: {}", text(&pod["metadata"], "name"), said.join(", ")))
}

/// Why a workload has no pod: it, or the ReplicaSet that has its name before a dash, may not make one.
fn no_pod(live: &Value, events: &[Value]) -> Option<String> {
    let name = text(&live["metadata"], "name");
    let is_its = |event: &&Value| {
        let rest = text(&event["involvedObject"], "name").strip_prefix(name);
        event["involvedObject"]["kind"] != "Pod"
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    last_warning(events.iter().filter(is_its)).map(|why| format!("no pod of it is made: {why}"))
}

fn last_warning<'a>(events: impl Iterator<Item = &'a Value>) -> Option<String> {
    let warnings = events.filter(|event| event["type"] == "Warning");
    // The scheduler and others who write the newer kind of event give it only the second. Times of one zone are in the order of their texts.
    let at = |event: &&Value| match text(event, "lastTimestamp") {
        "" => text(event, "eventTime").to_owned(),
        at => at.to_owned(),
    };
    let last = warnings.max_by_key(at)?;
    Some(format!("{} {}", text(last, "reason"), text(last, "message")))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

const MOST: usize = 3;

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn events() -> Vec<Value> {
        let event = |kind: &str, about: Value, at: &str, said: &str| json!({"type": kind, "reason": "Failed", "message": said, "involvedObject": about, "lastTimestamp": at});
        vec![
            event("Warning", json!({"kind": "Pod", "uid": "1"}), "2026-11-22T02:00:00Z", "no seccomp"),
            event("Warning", json!({"kind": "Pod", "uid": "1"}), "2026-11-22T01:00:00Z", "no address"),
            event("Normal", json!({"kind": "Pod", "uid": "1"}), "2026-11-22T03:00:00Z", "all is well"),
            json!({"type": "Warning", "reason": "FailedScheduling", "message": "no room", "involvedObject": {"uid": "4"},
                "lastTimestamp": null, "eventTime": "2026-11-22T02:00:00.123456Z"}),
            event("Warning", json!({"kind": "Pod", "uid": "4"}), "2026-11-22T01:00:00Z", "older"),
            event("Warning", json!({"kind": "Pod", "uid": "2"}), "2026-11-22T04:00:00Z", "of another"),
            event(
                "Warning",
                json!({"kind": "ReplicaSet", "name": "web-7"}),
                "2026-11-22T05:00:00Z",
                "forbidden",
            ),
        ]
    }

    #[rstest]
    #[case::image(json!({"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}]}), "3",
        Some("pod p: ErrImagePull no such image"))]
    #[case::sandbox(json!({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}), "1",
        Some("pod p: ContainerCreating, Failed no seccomp"))]
    #[case::it_ends(json!({"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}), "3", Some("pod p: CrashLoopBackOff, its last run ended with 1 Error"))]
    #[case::no_node(json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]}), "3",
        Some("pod p: Unschedulable 0/1 nodes"))]
    #[case::newer_events(json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}), "4",
        Some("pod p: Unschedulable, FailedScheduling no room"))]
    #[case::ready(json!({"conditions": [{"type": "Ready", "status": "True"}]}), "1", None)]
    fn of_a_pod(#[case] status: Value, #[case] uid: &str, #[case] expected: Option<&str>) {
        let pod = json!({"metadata": {"name": "p", "uid": uid}, "status": status});
        assert_eq!(reason(&pod, &events()).as_deref(), expected);
    }

    #[rstest]
    #[case("web", Some("no pod of it is made: Failed forbidden"))]
    #[case("we", None)]
    fn of_a_workload_without_pods(#[case] name: &str, #[case] expected: Option<&str>) {
        let live = json!({"metadata": {"name": name}});
        assert_eq!(no_pod(&live, &events()).as_deref(), expected);
    }
}
