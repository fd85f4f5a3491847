//! The mesh as a directory of Kubernetes YAML, for clusters whose agents live from a controller.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::mesh::{MeshFile, Mode, PeerAuthentication, Service, TunnelProtocol, Workload};

/// The documents that say what the mesh file says.
pub(crate) fn documents(mesh: &MeshFile, nodes: &[String]) -> Vec<Value> {
    let mut documents: Vec<Value> =
        nodes.iter().map(|node| object("v1", "Node", "", node, json!({}))).collect();
    let workloads: BTreeSet<_> =
        mesh.workloads.iter().map(|workload| (&workload.namespace, &workload.name)).collect();
    assert_eq!(workloads.len(), mesh.workloads.len(), "two pods of one name");
    documents.extend(mesh.workloads.iter().map(|workload| pod(workload, &mesh.services)));
    documents.extend(mesh.services.iter().map(service));
    documents.extend(mesh.peer_authentication.iter().flat_map(peer_authentication));
    documents
}

/// Several documents as one YAML file.
pub(crate) fn to_yaml(documents: &[Value]) -> Result<String> {
    let each = documents.iter().map(serde_saphyr::to_string).collect::<Result<Vec<_>, _>>();
    Ok(each.context("a manifest cannot be written as YAML")?.join("---\n"))
}

/// A pod outside the mesh whose name says which version of which file was read.
pub(crate) fn marker(name: &str) -> Value {
    let mut pod = object("v1", "Pod", crate::world::MARKER_NAMESPACE, name, json!({}));
    pod["status"] = json!({ "phase": "Running", "podIPs": [{ "ip": "192.0.2.1" }] });
    pod
}

fn pod(workload: &Workload, services: &[Service]) -> Value {
    let mode = if workload.tunnel_protocol == TunnelProtocol::Hbone { "ambient" } else { "none" };
    let mut labels = json!({ "app": workload.name, "istio.io/dataplane-mode": mode });
    for service in services.iter().filter(|service| service.endpoints.contains(&workload.name)) {
        labels[membership(service)] = "yes".into();
    }
    for (name, value) in &workload.labels {
        labels[name] = value.as_str().into();
    }
    let ips: Vec<Value> = workload.addresses.iter().map(|ip| json!({ "ip": ip })).collect();
    let mut pod = object("v1", "Pod", &workload.namespace, &workload.name, labels);
    pod["spec"] = json!({ "nodeName": workload.node, "serviceAccountName": workload.service_account });
    pod["status"] = json!({ "phase": "Running", "podIPs": ips });
    if workload.leaving {
        pod["metadata"]["deletionTimestamp"] = "2026-11-21T00:00:00Z".into();
    }
    pod
}

fn service(service: &Service) -> Value {
    let port = |port: &crate::mesh::Port| json!({ "name": format!("p{}", port.service_port), "port": port.service_port, "targetPort": port.target_port });
    let mut object = object("v1", "Service", &service.namespace, &service.name, json!({}));
    object["spec"] = json!({
        "clusterIPs": service.addresses,
        "selector": { membership(service): "yes" },
        "ports": service.ports.iter().map(port).collect::<Vec<_>>(),
    });
    object
}

/// One object per workload that is named: a selector selects by labels, and `app` is the pod's name.
fn peer_authentication(rule: &PeerAuthentication) -> Vec<Value> {
    let mode = |mode: &Mode| if *mode == Mode::Strict { "STRICT" } else { "PERMISSIVE" };
    let namespace = if rule.namespace.is_empty() { ROOT_NAMESPACE } else { &rule.namespace };
    let new = |name: &str| {
        let mut object = object("security.istio.io/v1", "PeerAuthentication", namespace, name, json!({}));
        object["spec"] = json!({ "mtls": { "mode": mode(&rule.mode) } });
        object
    };
    if rule.workloads.is_empty() {
        return vec![new(&rule.name)];
    }
    let of = |workload: &String| {
        let mut object = new(&format!("{}-{workload}", rule.name));
        object["spec"]["selector"] = json!({ "matchLabels": { "app": workload } });
        for (port, of) in &rule.port_level_mtls {
            object["spec"]["portLevelMtls"][port] = json!({ "mode": mode(of) });
        }
        object
    };
    rule.workloads.iter().map(of).collect()
}

fn object(version: &str, kind: &str, namespace: &str, name: &str, labels: Value) -> Value {
    let mut metadata = json!({ "name": name, "labels": labels });
    if !namespace.is_empty() {
        metadata["namespace"] = namespace.into();
    }
    json!({ "apiVersion": version, "kind": kind, "metadata": metadata })
}

/// The label by which a service selects its pods.
fn membership(service: &Service) -> String {
    format!("serves-{}", service.name)
}

/// The controller's default: policies in it are for the whole mesh.
const ROOT_NAMESPACE: &str = "weir-system";
