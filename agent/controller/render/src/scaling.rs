//! What is made only if an overlay asks for it: an autoscaler, a disruption budget.

use serde_json::{Value, json};
use weir_resources::Gateway;

use crate::PartKind;
use crate::names::{Names, metadata, selector};

pub(crate) fn autoscaler(gateway: &Gateway, names: &Names) -> Value {
    let kind = PartKind::HorizontalPodAutoscaler;
    let deployment = PartKind::Deployment;
    json!({
        "apiVersion": kind.api_version(), "kind": kind.name(), "metadata": metadata(gateway, &names.own),
        "spec": {
            "scaleTargetRef": {
                "apiVersion": deployment.api_version(), "kind": deployment.name(), "name": names.own,
            },
        },
    })
}

pub(crate) fn budget(gateway: &Gateway, names: &Names) -> Value {
    let kind = PartKind::PodDisruptionBudget;
    json!({
        "apiVersion": kind.api_version(), "kind": kind.name(), "metadata": metadata(gateway, &names.own),
        "spec": {"selector": {"matchLabels": selector(gateway)}},
    })
}
