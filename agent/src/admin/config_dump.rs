//! `GET /config_dump`: all that this agent knows, as JSON with the names that Istio's tools read.

use std::net::IpAddr;
use std::time::SystemTime;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use weir_identity::{CertificateState, CertificateSummary, Status};
use weir_model::{Health, Service, TunnelProtocol, Workload};

use crate::run::Parts;

/// The dump, pretty-printed. It is made from one snapshot of the directory.
pub(super) fn render(parts: &Parts) -> anyhow::Result<String> {
    let directory = parts.store.load();
    let protection = parts.protection();
    let mut workloads: Vec<_> = directory.workloads().collect();
    workloads.sort_by(|a, b| a.uid.cmp(&b.uid));
    let mut services: Vec<_> = directory.services().collect();
    services.sort_by(|a, b| a.key.cmp(&b.key));
    let dump = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "config": { "node": parts.node, "captureMode": parts.datapath.mode().as_str() },
        "workloads": workloads.into_iter().map(|w| workload(w)).collect::<Vec<_>>(),
        "services": services.into_iter().map(|s| service(s, &directory)).collect::<Vec<_>>(),
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

fn workload(w: &Workload) -> Value {
    compact(json!({
        "uid": &*w.uid,
        "name": &*w.name,
        "namespace": &*w.namespace,
        "workloadIps": w.addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>(),
        "protocol": match w.tunnel_protocol { TunnelProtocol::Hbone => "HBONE", TunnelProtocol::None => "TCP" },
        "network": &*w.network,
        "trustDomain": &*w.trust_domain,
        "serviceAccount": &*w.service_account,
        "workloadName": &*w.workload_name,
        "canonicalName": &*w.canonical_name,
        "canonicalRevision": &*w.canonical_revision,
        "hostname": &*w.hostname,
        "node": &*w.node,
        "status": match w.status { Health::Healthy => "Healthy", Health::Unhealthy => "Unhealthy" },
        "clusterId": &*w.cluster_id,
        "capacity": w.capacity,
        "services": w.services.keys().map(|key| format!("{}/{}", key.namespace, key.hostname)).collect::<Vec<_>>(),
        "peerAuthentication": format!("{:?}", w.peer_authentication.mode).to_uppercase(),
    }))
}

fn service(s: &Service, directory: &weir_model::Directory) -> Value {
    let endpoints = directory.endpoints(&s.key).map(|w| {
        let ports = w.services.get(&s.key).into_iter().flatten();
        let ports = ports.map(|p| (p.service_port.to_string(), json!(p.target_port)));
        let status = match w.status { Health::Healthy => "Healthy", Health::Unhealthy => "Unhealthy" };
        (w.uid.to_string(), json!({ "workloadUid": &*w.uid, "port": ports.collect::<serde_json::Map<_, _>>(), "status": status }))
    });
    compact(json!({
        "name": &*s.name,
        "namespace": &*s.key.namespace,
        "hostname": &*s.key.hostname,
        "vips": s.vips.iter().map(|(network, ip)| format!("{network}/{ip}")).collect::<Vec<_>>(),
        "cidrVips": s.cidr_vips.iter().map(|(network, net)| format!("{network}/{net}")).collect::<Vec<_>>(),
        "ports": s.ports.iter().map(|p| (p.service_port.to_string(), json!(p.target_port))).collect::<serde_json::Map<_, _>>(),
        "endpoints": endpoints.collect::<serde_json::Map<_, _>>(),
        "subjectAltNames": s.subject_alt_names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "canonical": s.canonical,
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

/// Without the keys that have nothing to say, as Istio's dump leaves them out.
fn compact(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|_, v| match v {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(items) => !items.is_empty(),
            _ => true,
        });
    }
    value
}
