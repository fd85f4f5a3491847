//! Carries a plan out, or asks what would come of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::plan::{Plan, Step, What};
use super::{InstallError, Inventory};
use crate::cluster::{Cluster, ClusterError, ObjectRef, Write};
use crate::progress::Progress;

/// Applies, and takes away what is not needed any more. Gives what was done with each object.
///
/// # Errors
/// The cluster refuses an object. What was done until then is in the inventory; the same again goes on from there.
pub async fn apply(
    cluster: &Cluster,
    namespace: &str,
    plan: &Plan,
    inventory: Inventory,
    progress: &mut Progress,
) -> Result<Vec<Step>, InstallError> {
    let mut done = Vec::new();
    let mut is_noted = false;
    ensure_namespace(cluster, namespace, plan).await?;
    for (step, object) in &plan.steps {
        if step.what == What::Leave {
            progress.say(&format!("{} is there already, and is not ours: it stays as it is", step.object));
            done.push(step.clone());
            continue;
        }
        // The namespace comes first, and must be there for the record to be kept.
        if !is_noted && step.object.kind != "Namespace" {
            Inventory { objects: all(plan, true), ..inventory.clone() }.write(cluster, namespace).await?;
            is_noted = true;
        }
        progress.now(&format!("applying {}", step.object));
        let before = cluster.get(&step.object).await?;
        let after = cluster.apply(object, Write::Really).await?;
        done.push(Step { what: outcome(before.as_ref(), &after), ..step.clone() });
        if step.object.kind == "CustomResourceDefinition" {
            established(cluster, &step.object, progress).await?;
        }
    }
    for object in &plan.prune {
        progress.now(&format!("deleting {object}"));
        cluster.delete(object).await?;
        done.push(Step { object: object.clone(), what: What::Prune });
    }
    Inventory { objects: all(plan, false), ..inventory }.write(cluster, namespace).await?;
    Ok(done)
}

/// What would be done with each object; nothing is written. The API server is asked, so that what it would refuse is an error.
///
/// # Errors
/// The cluster would refuse an object.
pub async fn preview(cluster: &Cluster, plan: &Plan) -> Result<Vec<Step>, InstallError> {
    let mut done = Vec::new();
    for (step, object) in &plan.steps {
        if step.what == What::Leave {
            done.push(step.clone());
            continue;
        }
        let before = cluster.get(&step.object).await?;
        let what = match cluster.apply(object, Write::Dry).await {
            Ok(after) => outcome(before.as_ref(), &after),
            // Its namespace, or its kind, would be made just before.
            Err(ClusterError::Refused { code: 404, .. } | ClusterError::NotServed { .. }) => What::Create,
            Err(error) => return Err(error.into()),
        };
        done.push(Step { what, ..step.clone() });
    }
    done.extend(plan.prune.iter().map(|object| Step { object: object.clone(), what: What::Prune }));
    Ok(done)
}

/// With a chart that does not make it, the namespace is the user's to make.
async fn ensure_namespace(cluster: &Cluster, namespace: &str, plan: &Plan) -> Result<(), InstallError> {
    let makes_it = plan.steps.iter().any(|(step, _)| step.object.kind == "Namespace");
    let place = ObjectRef::new("v1", "Namespace", "", namespace);
    if makes_it || cluster.get(&place).await?.is_some() {
        return Ok(());
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    cluster.apply(&namespace, Write::Really).await?;
    Ok(())
}

fn all(plan: &Plan, with_old: bool) -> Vec<ObjectRef> {
    let old = plan.prune.iter().rev().filter(|_| with_old);
    plan.objects().chain(old).cloned().collect()
}

fn outcome(before: Option<&Value>, after: &Value) -> What {
    match before {
        None => What::Create,
        Some(before) if substance(before) == substance(after) => What::Same,
        Some(_) => What::Change,
    }
}

/// An object without what the API server writes by itself.
pub(super) fn substance(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in
            ["managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"]
        {
            meta.remove(field);
        }
    }
    object
}

/// Waits until objects of a defined kind can be made.
async fn established(
    cluster: &Cluster,
    definition: &ObjectRef,
    progress: &mut Progress,
) -> Result<(), InstallError> {
    for _ in 0..ESTABLISHED.as_millis() / PAUSE.as_millis() {
        let object = cluster.get(definition).await?.unwrap_or_default();
        let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
        if conditions.any(|condition| condition["type"] == "Established" && condition["status"] == "True") {
            return Ok(());
        }
        progress.now(&format!("waiting for {definition} to be served"));
        tokio::time::sleep(PAUSE).await;
    }
    let waiting = vec![format!("{definition} is not served (kubectl describe crd {})", definition.name)];
    Err(InstallError::Unready { seconds: ESTABLISHED.as_secs(), waiting })
}

const ESTABLISHED: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);
