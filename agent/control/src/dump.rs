//! How it stands with the control plane and with certificates, as JSON with the names that Istio's tools read.

use std::time::SystemTime;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use weir_discovery::xds;
use weir_identity::{CertificateState, CertificateSummary, Status};

/// Streams to the control plane.
pub fn discovery(report: &xds::Report) -> Value {
    let rejected = report.rejected.iter();
    compact(json!({
        "connected": report.connected,
        "since": report.since.map(rfc3339),
        "problem": report.problem,
        "rejected": rejected.map(|(name, why)| json!({ "name": name, "reason": why })).collect::<Vec<_>>(),
    }))
}

/// A certificate.
pub fn certificate(state: &CertificateState) -> Value {
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

/// Without the keys that have nothing to say, as Istio's dump leaves them out.
pub fn compact(mut value: Value) -> Value {
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
