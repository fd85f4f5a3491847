//! `GET /config_dump`: all that this agent knows, as JSON with the names that Istio's tools read.

use serde_json::{Value, json};
use weir_control::dump;

use crate::run::Parts;

mod limits;
mod mesh;

/// The dump, pretty-printed. It is made from one snapshot of the directory.
pub(super) fn render(parts: &Parts) -> anyhow::Result<String> {
    let directory = parts.store.load();
    let protection = parts.protection();
    let mut workloads: Vec<_> = directory.workloads().collect();
    workloads.sort_by(|a, b| a.uid.cmp(&b.uid));
    let mut services: Vec<_> = directory.services().collect();
    services.sort_by(|a, b| a.key.cmp(&b.key));
    let mut policies: Vec<_> = directory.policies().collect();
    policies.sort_by(|a, b| a.key.cmp(&b.key));
    let page = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "config": { "node": parts.node, "captureMode": parts.datapath.mode().as_str() },
        "workloads": workloads.into_iter().map(|w| mesh::workload(w)).collect::<Vec<_>>(),
        "services": services.into_iter().map(|s| mesh::service(s, &directory)).collect::<Vec<_>>(),
        "policies": policies.into_iter().map(|p| mesh::policy(p)).collect::<Vec<_>>(),
        "discovery": parts.discovery.as_ref().map(|status| dump::discovery(&status.report())),
        "certificates": parts.certificates.snapshot().iter().map(dump::certificate).collect::<Vec<_>>(),
        "workloadState": workload_state(parts),
        "protection": {
            "protected": protection.protected,
            "unprotected": reasons(&protection.unprotected),
            "notes": reasons(&protection.notes),
        },
    });
    Ok(serde_json::to_string_pretty(&page)? + "\n")
}

fn reasons(pods: &[(String, String)]) -> Vec<Value> {
    pods.iter().map(|(pod, why)| json!({ "uid": pod, "reason": why })).collect()
}

fn workload_state(parts: &Parts) -> Value {
    let up = parts.pods.by_cookie.load();
    let up = up.values().map(|uid| (uid.to_string(), json!({ "state": "Up" })));
    let refused = parts.pods.refused.load();
    let pending =
        refused.iter().map(|(uid, why)| (uid.to_string(), json!({ "state": "Pending", "reason": why })));
    Value::Object(up.chain(pending).collect())
}
