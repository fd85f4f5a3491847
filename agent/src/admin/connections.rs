//! `GET /connections`: what is open now, as JSON. A page of its own: who asks for the dump is not to hold up the workers.

use hyper::StatusCode;
use serde_json::{Value, json};
use weir_control::dump::compact;
use weir_process::Reply;
use weir_tunnel::{Direction, OpenConnection};

use crate::run::Parts;

pub(super) async fn page(parts: &Parts) -> Reply {
    let open = match parts.workers.upgrade() {
        Some(workers) => workers.connections().await,
        None => Vec::new(),
    };
    let all: Vec<Value> = open.iter().map(connection).collect();
    weir_process::json(StatusCode::OK, Value::Array(all).to_string() + "\n")
}

fn connection(one: &OpenConnection) -> Value {
    let (namespace, workload) = one.workload.as_ref().map(|(namespace, name)| (namespace, name)).unzip();
    compact(json!({
        "direction": match one.direction { Direction::Inbound => "inbound", Direction::Outbound => "outbound" },
        "namespace": namespace,
        "workload": workload,
        "source": one.source.to_string(),
        "destination": one.destination.to_string(),
        "tunnel": one.tunnel.map(|address| address.to_string()),
        "service": one.service,
        "sourceIdentity": one.source_identity,
        "destinationIdentity": one.destination_identity,
        "originIdentity": one.origin,
        "bytesSent": one.bytes_sent,
        "bytesReceived": one.bytes_received,
        "seconds": one.age.as_secs(),
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_not_known_is_left_out() {
        let one = OpenConnection {
            direction: Direction::Inbound,
            source: "10.0.0.1:40000".parse().unwrap(),
            destination: "10.0.0.2:80".parse().unwrap(),
            tunnel: None,
            service: None,
            workload: Some(("shop".into(), "web".into())),
            source_identity: None,
            destination_identity: None,
            origin: None,
            bytes_sent: 0,
            bytes_received: 5,
            age: Duration::from_millis(1999),
        };
        let said = json!({
            "direction": "inbound", "namespace": "shop", "workload": "web", "source": "10.0.0.1:40000",
            "destination": "10.0.0.2:80", "bytesSent": 0, "bytesReceived": 5, "seconds": 1,
        });
        assert_eq!(connection(&one), said);
    }
}
