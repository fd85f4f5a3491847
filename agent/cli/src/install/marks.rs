//! What the mesh said of pods, taken back: an annotation by which other meshes would believe that the pod has a tunnel, and a
//! condition that nobody keeps true any more.

use serde_json::{Value, json};

use super::InstallError;
use crate::cluster::{Cluster, ClusterError, ObjectRef};
use crate::progress::Progress;

/// Takes it from every pod that has it. Nobody may be there who would write it again.
///
/// # Errors
/// The cluster does not do it.
pub(super) async fn take_back(cluster: &Cluster, progress: &mut Progress) -> Result<(), InstallError> {
    let pods = cluster.list("v1", "Pod", "", "").await?;
    for pod in pods.into_iter().filter(is_marked) {
        let object = ObjectRef::of(&pod);
        progress.now(&format!("taking back what was said of {object}"));
        unmark(cluster, &object, pod).await?;
    }
    Ok(())
}

async fn unmark(cluster: &Cluster, object: &ObjectRef, mut pod: Value) -> Result<(), InstallError> {
    loop {
        match cluster.merge_status(object, &patch(&pod)).await {
            // Its kubelet wrote meanwhile: the list of conditions is replaced whole.
            Err(ClusterError::Refused { code: 409, .. }) => match cluster.get(object).await? {
                Some(now) if is_marked(&now) => pod = now,
                _ => return Ok(()),
            },
            Err(ClusterError::Refused { code: 404, .. }) => return Ok(()),
            result => return Ok(result.map(drop)?),
        }
    }
}

/// The condition is ours alone; the annotation is also what other meshes write.
fn is_marked(pod: &Value) -> bool {
    conditions(pod).any(|condition| condition["type"] == CAPTURED)
}

/// Without both, if it is still what was read.
fn patch(pod: &Value) -> Value {
    let others: Vec<_> = conditions(pod).filter(|condition| condition["type"] != CAPTURED).collect();
    json!({
        "metadata": {
            "resourceVersion": pod["metadata"]["resourceVersion"],
            "annotations": {REDIRECTION: null},
        },
        "status": {"conditions": others},
    })
}

fn conditions(pod: &Value) -> impl Iterator<Item = &Value> {
    pod["status"]["conditions"].as_array().into_iter().flatten()
}

const CAPTURED: &str = "weir.dev/Captured";
const REDIRECTION: &str = "ambient.istio.io/redirection";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_is_taken() {
        let theirs = json!({"metadata": {"annotations": {REDIRECTION: "enabled"}}, "status": {"conditions": [{"type": "Ready"}]}});
        assert!(!is_marked(&theirs));
        let ours = json!({"metadata": {"resourceVersion": "7"}, "status": {"conditions": [{"type": "Ready"}, {"type": CAPTURED}]}});
        assert!(is_marked(&ours));
        assert_eq!(
            patch(&ours),
            json!({
                "metadata": {"resourceVersion": "7", "annotations": {REDIRECTION: null}},
                "status": {"conditions": [{"type": "Ready"}]},
            })
        );
    }
}
