//! Takes an installation away: first the pods of the mesh are let go, then what lets them go.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::plan::is_kept;
use super::{InstallError, Inventory, marks, wait};
use crate::cluster::{Cluster, ObjectRef};
use crate::live::WAYPOINTS;
use crate::progress::Progress;

/// How far it goes.
#[derive(Debug, Clone, Copy)]
pub struct Removal {
    /// The mesh's identity, its definitions and its namespace go, too.
    pub purge: bool,
    /// For each thing that is waited for.
    pub limit: Duration,
}

/// Takes away what the inventory has and what the controller made. Gives what went.
///
/// # Errors
/// Something did not go; the same again goes on from there.
pub async fn remove(
    cluster: &Cluster,
    namespace: &str,
    inventory: &Inventory,
    removal: Removal,
    progress: &mut Progress,
) -> Result<Vec<ObjectRef>, InstallError> {
    let mut gone = Vec::new();
    open_nodes(cluster, namespace, inventory, removal.limit, progress).await?;
    // Nobody is there to answer it any more, and it may keep the API server from taking what users write.
    gone.extend(delete(cluster, made_by_controller(), progress).await?);
    let (kept, ours): (Vec<_>, Vec<_>) =
        inventory.objects.iter().rev().cloned().partition(|object| is_kept(&object.kind));
    let workloads = |object: &ObjectRef| matches!(object.kind.as_str(), "Deployment" | "DaemonSet");
    let (first, then): (Vec<_>, Vec<_>) = ours.into_iter().partition(workloads);
    // Agents take away what is left on their nodes, and the holder's socket must be gone by then.
    let (holder, first): (Vec<_>, Vec<_>) = first.into_iter().partition(|object| object.name == HOLDER);
    gone.extend(delete(cluster, holder.clone(), progress).await?);
    wait_until_gone(cluster, namespace, &holder, removal.limit, progress).await?;
    gone.extend(delete(cluster, first.clone(), progress).await?);
    // A controller that still lives would make again what is deleted next.
    wait_until_gone(cluster, namespace, &first, removal.limit, progress).await?;
    gone.extend(delete(cluster, made_by_controller(), progress).await?);
    gone.extend(delete(cluster, waypoints(cluster).await?, progress).await?);
    marks::take_back(cluster, progress).await?;
    gone.extend(delete(cluster, then, progress).await?);
    gone.extend(delete(cluster, roots(cluster).await?, progress).await?);
    gone.extend(
        delete(
            cluster,
            vec![ObjectRef::new("coordination.k8s.io/v1", "Lease", namespace, CONTROLLER)],
            progress,
        )
        .await?,
    );
    if removal.purge {
        let secret = ObjectRef::new("v1", "Secret", namespace, "weir-ca");
        gone.extend(delete(cluster, vec![secret], progress).await?);
        let (namespaces, definitions): (Vec<_>, Vec<_>) =
            kept.into_iter().partition(|object| object.kind == "Namespace");
        gone.extend(delete(cluster, definitions.clone(), progress).await?);
        wait_until_gone(cluster, namespace, &definitions, removal.limit, progress).await?;
        gone.extend(delete(cluster, vec![Inventory::place(namespace)], progress).await?);
        gone.extend(delete(cluster, namespaces.clone(), progress).await?);
        wait_until_gone(cluster, namespace, &namespaces, removal.limit, progress).await?;
    } else {
        // A later --purge must know what there is.
        match kept.is_empty() {
            true => gone.extend(delete(cluster, vec![Inventory::place(namespace)], progress).await?),
            false => {
                let objects = kept.into_iter().rev().collect();
                Inventory { objects, ..inventory.clone() }.write(cluster, namespace).await?;
            }
        }
    }
    Ok(gone)
}

/// An agent that only stops leaves its pods captured, for the next one. Here none comes: each is started again as one that lets
/// go of everything when it stops.
async fn open_nodes(
    cluster: &Cluster,
    namespace: &str,
    inventory: &Inventory,
    limit: Duration,
    progress: &mut Progress,
) -> Result<(), InstallError> {
    let agent = ObjectRef::new("apps/v1", "DaemonSet", namespace, "weir-agent");
    if !inventory.objects.iter().any(|object| object.is(&agent)) {
        return Ok(());
    }
    let Some(live) = cluster.get(&agent).await? else { return Ok(()) };
    let containers = live.pointer("/spec/template/spec/containers").cloned().unwrap_or_default();
    let Some(opened) = opened(containers) else { return Ok(()) };
    progress.say("telling the agents to let their pods go when they stop");
    // One at a time is enough for an upgrade; here nothing is to be kept up.
    let patch = json!({"spec": {
        "template": {"spec": {"containers": opened}},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"}},
    }});
    cluster.merge(&agent, &patch).await?;
    wait(cluster, &[agent], limit, progress).await
}

/// Containers with `--leave=open`, and a plugin that goes with its agent; `None` if they have it.
fn opened(mut containers: Value) -> Option<Value> {
    let mut has_changed = false;
    for container in containers.as_array_mut().into_iter().flatten() {
        let Some(arguments) = container["args"].as_array_mut() else { continue };
        let is_closed = |argument: &&mut Value| argument.as_str() == Some("--leave=closed");
        let Some(closed) = arguments.iter_mut().find(is_closed) else { continue };
        *closed = "--leave=open".into();
        has_changed = true;
        let starts =
            |argument: &Value, text: &str| argument.as_str().is_some_and(|own| own.starts_with(text));
        if arguments.iter().any(|argument| starts(argument, "--cni-conf-dir=")) {
            arguments.retain(|argument| !starts(argument, UNINSTALL));
            arguments.push(format!("{UNINSTALL}=true").into());
        }
    }
    has_changed.then_some(containers)
}

async fn delete(
    cluster: &Cluster,
    objects: Vec<ObjectRef>,
    progress: &mut Progress,
) -> Result<Vec<ObjectRef>, InstallError> {
    let mut gone = Vec::new();
    for object in objects {
        progress.now(&format!("deleting {object}"));
        if cluster.delete(&object).await? {
            gone.push(object);
        }
    }
    Ok(gone)
}

/// Until neither they nor their pods are there.
async fn wait_until_gone(
    cluster: &Cluster,
    namespace: &str,
    objects: &[ObjectRef],
    limit: Duration,
    progress: &mut Progress,
) -> Result<(), InstallError> {
    let begin = Instant::now();
    loop {
        let mut there = Vec::new();
        for object in objects {
            if cluster.get(object).await?.is_some() {
                there.push(object.to_string());
            } else if matches!(object.kind.as_str(), "Deployment" | "DaemonSet") {
                let pods = cluster.list("v1", "Pod", namespace, &format!("app={}", object.name)).await?;
                there.extend(pods.iter().map(|pod| ObjectRef::of(pod).to_string()));
            }
        }
        if there.is_empty() {
            return Ok(());
        }
        if begin.elapsed() >= limit {
            return Err(InstallError::Lingers { seconds: limit.as_secs(), objects: there });
        }
        progress.now(&format!("waiting until {} is gone", there.join(", ")));
        tokio::time::sleep(PAUSE).await;
    }
}

/// What the controller makes for the whole cluster.
fn made_by_controller() -> Vec<ObjectRef> {
    vec![ObjectRef::new("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", CONTROLLER)]
}

/// What runs the waypoints. Their Gateways are their owners', and make them again if the mesh comes back.
async fn waypoints(cluster: &Cluster) -> Result<Vec<ObjectRef>, InstallError> {
    let mut made = Vec::new();
    for (version, kind) in WAYPOINT_KINDS {
        let objects = cluster.list(version, kind, "", WAYPOINTS).await?;
        made.extend(objects.iter().map(ObjectRef::of));
    }
    Ok(made)
}

/// The mesh's roots, in every namespace. Those that Istio wrote are not ours to take.
async fn roots(cluster: &Cluster) -> Result<Vec<ObjectRef>, InstallError> {
    let maps = cluster.list("v1", "ConfigMap", "", "app.kubernetes.io/part-of=weir").await?;
    Ok(maps.iter().filter(|map| map["metadata"]["name"] == ROOTS).map(ObjectRef::of).collect())
}

const CONTROLLER: &str = "weir-controller";
const HOLDER: &str = "weir-holder";
const WAYPOINT_KINDS: [(&str, &str); 5] = [
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
];
const UNINSTALL: &str = "--cni-uninstall-on-stop";
const ROOTS: &str = "istio-ca-root-cert";
const PAUSE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_told_once() {
        let closed = json!([{"name": "agent", "args": ["run", "--cni-conf-dir=/c", "--leave=closed"]}, {"name": "other"}]);
        let open = opened(closed).unwrap();
        assert_eq!(
            open[0]["args"],
            json!(["run", "--cni-conf-dir=/c", "--leave=open", "--cni-uninstall-on-stop=true"])
        );
        assert_eq!(opened(open), None);
    }
}
