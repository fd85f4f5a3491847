//! What the mesh said of pods and services, taken back: an annotation by which other meshes would believe that a pod has a tunnel, and
//! conditions that nobody keeps true any more.

use serde_json::{Value, json};

use super::InstallError;
use crate::cluster::{Cluster, ClusterError, ObjectRef};
use crate::progress::Progress;

/// Takes it from every pod that has it. Nobody may be there who would write it again.
///
/// # Errors
/// The cluster does not do it.
pub(super) async fn take_back(cluster: &Cluster, progress: &mut Progress) -> Result<(), InstallError> {
    for kind in ["Pod", "Service"] {
        for marked in cluster.list("v1", kind, "", "").await?.into_iter().filter(is_marked) {
            let object = ObjectRef::of(&marked);
            progress.now(&format!("taking back what was said of {object}"));
            unmark(cluster, &object, marked).await?;
        }
    }
    Ok(())
}

async fn unmark(cluster: &Cluster, object: &ObjectRef, mut marked: Value) -> Result<(), InstallError> {
    loop {
        match cluster.merge_status(object, &patch(&marked)).await {
            // Somebody wrote meanwhile, and the list of conditions is replaced whole.
            Err(ClusterError::Refused { code: 409, .. }) => match cluster.get(object).await? {
                Some(now) if is_marked(&now) => marked = now,
                _ => return Ok(()),
            },
            Err(ClusterError::Refused { code: 404, .. }) => return Ok(()),
            result => return Ok(result.map(drop)?),
        }
    }
}

/// By a condition of ours.
fn is_marked(object: &Value) -> bool {
    conditions(object).any(|condition| is_ours(object, condition))
}

/// A pod's is ours alone. A service's is Istio's, too: ours is what our controller wrote.
fn is_ours(object: &Value, condition: &Value) -> bool {
    let mut writers = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    condition["type"] == CAPTURED
        || (condition["type"] == BOUND && writers.any(|writer| writer["manager"] == WRITER))
}

/// Without them, if it is still what was read. The annotation is also what other meshes write, where it comes without our condition.
fn patch(object: &Value) -> Value {
    let others: Vec<_> = conditions(object).filter(|condition| !is_ours(object, condition)).collect();
    let mut metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
    if object["kind"] == "Pod" {
        metadata["annotations"] = json!({REDIRECTION: null});
    }
    json!({"metadata": metadata, "status": {"conditions": others}})
}

fn conditions(object: &Value) -> impl Iterator<Item = &Value> {
    object["status"]["conditions"].as_array().into_iter().flatten()
}

const CAPTURED: &str = "weir.dev/Captured";
const BOUND: &str = "istio.io/WaypointBound";
/// Who writes statuses, in `metadata.managedFields`.
const WRITER: &str = "weir-controller";
const REDIRECTION: &str = "ambient.istio.io/redirection";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_is_taken() {
        let theirs = json!({"metadata": {"annotations": {REDIRECTION: "enabled"}}, "status": {"conditions": [{"type": "Ready"}]}});
        assert!(!is_marked(&theirs));
        let ours = json!({"kind": "Pod", "metadata": {"resourceVersion": "7"}, "status": {"conditions": [{"type": "Ready"}, {"type": CAPTURED}]}});
        assert!(is_marked(&ours));
        assert_eq!(
            patch(&ours),
            json!({
                "metadata": {"resourceVersion": "7", "annotations": {REDIRECTION: null}},
                "status": {"conditions": [{"type": "Ready"}]},
            })
        );
    }

    #[test]
    fn a_services_condition_is_whose_who_wrote_it() {
        let service = |writer: &str| {
            json!({
                "kind": "Service", "metadata": {"resourceVersion": "7", "managedFields": [{"manager": writer}]},
                "status": {"loadBalancer": {}, "conditions": [{"type": BOUND}]},
            })
        };
        assert!(!is_marked(&service("pilot-discovery")));
        let ours = service(WRITER);
        assert!(is_marked(&ours));
        assert_eq!(patch(&ours), json!({"metadata": {"resourceVersion": "7"}, "status": {"conditions": []}}));
    }
}
