//! What an overlay may not change: by what an object is found, and to whom it belongs.

use serde_json::Value;
use weir_resources::Problem;

use crate::PartKind;
use crate::deployment::CONTAINER;
use crate::names::{GATEWAY_NAME, MANAGED};

/// Compares an object after an overlay with ours.
pub(crate) fn check(kind: PartKind, ours: &Value, object: &Value) -> Result<(), Problem> {
    for path in FIXED.iter().chain(fixed(kind)) {
        if at(ours, path) != at(object, path) {
            let message = "is how the object is found, and cannot be overlaid";
            return Err(Problem::new(shown(path), message));
        }
    }
    if object.get("status").is_some() {
        return Err(Problem::new("status", "is not for overlays"));
    }
    if kind == PartKind::Deployment {
        let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
        if !containers.into_iter().flatten().any(|container| container["name"] == CONTAINER) {
            let message = format!("container {CONTAINER} is the waypoint, and cannot be taken away");
            return Err(Problem::new("spec.template.spec.containers", message));
        }
    }
    Ok(())
}

/// What an object needs that only overlays can give.
pub(crate) fn complete(kind: PartKind, object: &Value) -> Result<(), Problem> {
    let spec = &object["spec"];
    match kind {
        PartKind::HorizontalPodAutoscaler if spec["maxReplicas"].is_null() => {
            Err(Problem::new("spec.maxReplicas", "is missing"))
        }
        PartKind::PodDisruptionBudget
            if spec["minAvailable"].is_null() == spec["maxUnavailable"].is_null() =>
        {
            Err(Problem::new("spec", "needs minAvailable or maxUnavailable, one of them"))
        }
        _ => Ok(()),
    }
}

const FIXED: [&[&str]; 7] = [
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "ownerReferences"],
    &["metadata", "labels", MANAGED],
    &["metadata", "labels", GATEWAY_NAME],
];

fn fixed(kind: PartKind) -> &'static [&'static [&'static str]] {
    match kind {
        PartKind::ServiceAccount => &[],
        PartKind::Service => &[&["spec", "selector"]],
        PartKind::Deployment => &[
            &["spec", "selector"],
            &["spec", "template", "metadata", "labels", GATEWAY_NAME],
            &["spec", "template", "metadata", "labels", MANAGED],
            &["spec", "template", "spec", "serviceAccountName"],
        ],
        PartKind::HorizontalPodAutoscaler => &[&["spec", "scaleTargetRef"]],
        PartKind::PodDisruptionBudget => &[&["spec", "selector"]],
    }
}

fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

fn shown(path: &[&str]) -> String {
    let mut text = String::new();
    for name in path {
        match name.contains(['.', '/']) {
            true => text.push_str(&format!("[{name}]")),
            false if text.is_empty() => text.push_str(name),
            false => text.push_str(&format!(".{name}")),
        }
    }
    text
}
