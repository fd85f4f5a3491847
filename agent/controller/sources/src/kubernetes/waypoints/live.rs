//! What is there of an object, as far as a plan needs it.

use std::hash::{DefaultHasher, Hash, Hasher};

use kube::api::DynamicObject;
use serde_json::{Value, json};
use weir_render::{MANAGED, MANAGED_BY, PartKind};

use super::MANAGER;

/// Namespace, kind, name.
pub(super) type Place = (String, PartKind, String);

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) place: Place,
    pub(super) uid: String,
    /// The gateway that it runs; `None`: it is not ours.
    pub(super) gateway: Option<String>,
    /// It is on its way out.
    pub(super) deleting: bool,
    /// Of all that somebody could change.
    pub(super) print: u64,
    /// Of an autoscaler: the Deployment that it counts.
    pub(super) scales: Option<String>,
    /// Of a Deployment: how many pods, and whether that was said by us.
    pub(super) replicas: Option<(i64, bool)>,
}

impl Live {
    pub(super) fn of(kind: PartKind, object: &DynamicObject) -> Self {
        let meta = &object.metadata;
        let label = |name: &str| meta.labels.as_ref().and_then(|labels| labels.get(name)).cloned();
        let spec = &object.data["spec"];
        let target = &spec["scaleTargetRef"];
        let scales = kind == PartKind::HorizontalPodAutoscaler && target["kind"] == "Deployment";
        let place = (meta.namespace.clone().unwrap_or_default(), kind, meta.name.clone().unwrap_or_default());
        let count = spec["replicas"].as_i64().filter(|_| kind == PartKind::Deployment);
        Self {
            place,
            uid: meta.uid.clone().unwrap_or_default(),
            gateway: label(MANAGED).filter(|by| by == MANAGED_BY).and_then(|_| label(GATEWAY_NAME)),
            deleting: meta.deletion_timestamp.is_some(),
            print: print(&json!([meta.labels, meta.annotations, meta.owner_references, spec])),
            scales: scales.then(|| target["name"].as_str().unwrap_or_default().to_owned()),
            replicas: count.map(|count| (count, owns_replicas(object))),
        }
    }
}

/// Two states with one print are one.
pub(super) fn print(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
}

fn owns_replicas(object: &DynamicObject) -> bool {
    let ours = object.metadata.managed_fields.iter().flatten().filter(|entry| {
        entry.manager.as_deref() == Some(MANAGER) && entry.operation.as_deref() == Some("Apply")
    });
    ours.filter_map(|entry| entry.fields_v1.as_ref())
        .any(|fields| fields.0["f:spec"].get("f:replicas").is_some())
}

const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
