//! The Service: where nodes send what is for the waypoint.

use serde_json::{Value, json};
use weir_resources::{Gateway, Listener, Problem};

use crate::names::{Names, metadata, selector};
use crate::{Input, PartKind};

pub(crate) fn service(input: &Input<'_>, names: &Names) -> Result<Value, Problem> {
    let gateway = input.gateway;
    let mut ports = vec![json!({
        "name": "status-port", "port": 15021, "protocol": "TCP", "targetPort": 15021, "appProtocol": "http",
    })];
    if let Some(listener) = gateway.listeners.iter().find(|listener| is_hbone(listener)) {
        ports.push(json!({
            "name": port_name(listener), "port": HBONE, "protocol": "TCP", "targetPort": HBONE,
            "appProtocol": "hbone",
        }));
    }
    let mut metadata = metadata(gateway, &names.own);
    // Nodes prefer a pod of the waypoint that is near, unless its author knows better.
    if metadata.pointer("/annotations").and_then(|all| all.get(DISTRIBUTION)).is_none() {
        metadata["annotations"][DISTRIBUTION] = json!("PreferClose");
    }
    if let Some(network) = network(gateway, input.network) {
        metadata["labels"][NETWORK] = json!(network);
    }
    Ok(json!({
        "apiVersion": PartKind::Service.api_version(), "kind": PartKind::Service.name(), "metadata": metadata,
        "spec": {
            "type": kind(input)?, "ipFamilyPolicy": "PreferDualStack", "selector": selector(gateway), "ports": ports,
        },
    }))
}

/// The network of a gateway's pods.
pub(crate) fn network<'a>(gateway: &'a Gateway, default: &'a str) -> Option<&'a str> {
    Some(gateway.meta.labels.get(NETWORK).unwrap_or(default)).filter(|network| !network.is_empty())
}

fn kind(input: &Input<'_>) -> Result<String, Problem> {
    let own = input.gateway.meta.annotations.get(TYPE);
    let classes = || input.class.and_then(|class| class.meta.annotations.get(TYPE));
    let Some(kind) = own.or_else(classes) else { return Ok("ClusterIP".to_owned()) };
    if ["ClusterIP", "NodePort", "LoadBalancer"].contains(&kind) {
        return Ok(kind.to_owned());
    }
    let message = format!("{kind:?} is none of ClusterIP, NodePort, LoadBalancer");
    Err(Problem::new(format!("metadata.annotations[{TYPE}]"), message))
}

fn is_hbone(listener: &Listener) -> bool {
    listener.port == HBONE && listener.protocol.eq_ignore_ascii_case("HBONE")
}

/// A port's name is shorter than a listener's, and has no dots.
fn port_name(listener: &Listener) -> &str {
    let is_fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = listener.name.len() <= 63 && !listener.name.is_empty() && listener.name.chars().all(is_fit);
    if good && &*listener.name != "status-port" { &listener.name } else { "mesh" }
}

const HBONE: u16 = 15008;
const TYPE: &str = "networking.istio.io/service-type";
const DISTRIBUTION: &str = "networking.istio.io/traffic-distribution";
pub(crate) const NETWORK: &str = "topology.istio.io/network";
