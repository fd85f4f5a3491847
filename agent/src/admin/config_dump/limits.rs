//! What DestinationRules say of connections to a service.

use std::time::Duration;

use serde_json::{Map, Value, json};
use weir_control::dump::compact;
use weir_model::{Audience, ConnectionPolicy};

pub(super) fn audience(audience: &Audience) -> Value {
    let ports = audience.ports.iter().map(|(port, policy)| (port.to_string(), of_port(policy)));
    json!({ "namespaces": audience.namespaces, "ports": ports.collect::<Map<_, _>>() })
}

fn of_port(policy: &ConnectionPolicy) -> Value {
    let keepalive = |one: weir_model::Keepalive| json!({ "probes": one.probes, "time": one.time.map(text), "interval": one.interval.map(text) });
    let outlier = |one: weir_model::OutlierPolicy| {
        json!({
            "consecutiveFailures": one.consecutive_failures,
            "interval": text(one.interval),
            "baseEjectionTime": text(one.base_ejection_time),
            "maxEjectionPercent": one.max_ejection_percent,
            "minHealthPercent": one.min_health_percent,
        })
    };
    compact(json!({
        "origin": &*policy.origin,
        "maxConnections": policy.max_connections,
        "connectTimeout": policy.connect_timeout.map(text),
        "keepalive": policy.keepalive.map(keepalive),
        "outlierDetection": policy.outlier.map(outlier),
    }))
}

fn text(time: Duration) -> String {
    format!("{time:?}")
}
