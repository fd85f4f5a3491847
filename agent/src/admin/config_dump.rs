//! `GET /config_dump`: all that this agent knows, as JSON with the names that Istio's tools read.

use std::time::SystemTime;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use weir_discovery::xds;
use weir_identity::{CertificateState, CertificateSummary, Status};

use crate::run::Parts;

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
    let dump = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "config": { "node": parts.node, "captureMode": parts.datapath.mode().as_str() },
        "workloads": workloads.into_iter().map(|w| mesh::workload(w)).collect::<Vec<_>>(),
        "services": services.into_iter().map(|s| mesh::service(s, &directory)).collect::<Vec<_>>(),
        "policies": policies.into_iter().map(|p| mesh::policy(p)).collect::<Vec<_>>(),
        "discovery": parts.discovery.as_ref().map(|status| discovery(&status.report())),
        "certificates": parts.certificates.snapshot().iter().map(certificate).collect::<Vec<_>>(),
        "workloadState": workload_state(parts),
        "protection": {
            "protected": protection.protected,
            "unprotected": reasons(&protection.unprotected),
            "notes": reasons(&protection.notes),
        },
    });
    Ok(serde_json::to_string_pretty(&dump)? + "\n")
}

fn reasons(pods: &[(String, String)]) -> Vec<Value> {
    pods.iter().map(|(pod, why)| json!({ "uid": pod, "reason": why })).collect()
}

fn discovery(report: &xds::Report) -> Value {
    let rejected = report.rejected.iter();
    mesh::compact(json!({
        "connected": report.connected,
        "since": report.since.map(rfc3339),
        "problem": report.problem,
        "rejected": rejected.map(|(name, why)| json!({ "name": name, "reason": why })).collect::<Vec<_>>(),
    }))
}

fn workload_state(parts: &Parts) -> Value {
    let up = parts.pods.by_cookie.load();
    let up = up.values().map(|uid| (uid.to_string(), json!({ "state": "Up" })));
    let refused = parts.pods.refused.load();
    let pending =
        refused.iter().map(|(uid, why)| (uid.to_string(), json!({ "state": "Pending", "reason": why })));
    Value::Object(up.chain(pending).collect())
}

fn certificate(state: &CertificateState) -> Value {
    let status = match &state.status {
        Status::Initializing => "Initializing".to_owned(),
        Status::Available => "Available".to_owned(),
        Status::Unavailable(why) => format!("Unavailable: {why}"),
    };
    json!({
        "identity": state.identity.to_string(),
        "state": status,
        "certChain": state.chain.iter().map(summary).collect::<Vec<_>>(),
        "rootCerts": state.roots.iter().map(summary).collect::<Vec<_>>(),
    })
}

fn summary(summary: &CertificateSummary) -> Value {
    json!({
        "pem": summary.pem_base64(),
        "serialNumber": summary.serial,
        "validFrom": rfc3339(summary.not_before),
        "expirationTime": rfc3339(summary.not_after),
    })
}

fn rfc3339(when: SystemTime) -> String {
    let when = OffsetDateTime::from(when);
    when.format(&Rfc3339).unwrap_or_else(|_| when.to_string())
}
