//! Policies: selectors that select nothing, namespaces that are not there; kinds that are not read.

use serde_json::Value;

use crate::analyze::Finding;
use crate::analyze::world::{World, selects};
use crate::objects::Item;

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for kind in ["AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"] {
        for item in world.objects.of_kind(kind) {
            selector(world, item, &mut findings);
        }
    }
    for item in world.objects.of_kind("AuthorizationPolicy") {
        namespaces(world, item, &mut findings);
    }
    for item in &world.objects.items {
        let version = item.object["apiVersion"].as_str().unwrap_or_default();
        let is_istios = version.contains("istio.io/");
        if is_istios && UNREAD.contains(&item.kind()) {
            let message = format!("Weir does not read {}: what it asks for does not happen", item.kind());
            findings.push(Finding::new("IST0167", item, message));
        }
    }
    findings
}

fn selector(world: &World<'_>, item: &Item, findings: &mut Vec<Finding>) {
    let labels = &item.object["spec"]["selector"]["matchLabels"];
    if labels.as_object().is_none_or(serde_json::Map::is_empty) || !world.knows_pods() {
        return;
    }
    let is_everywhere = item.namespace() == &*world.config.root_namespace;
    let mut pods = world.pods().filter(|pod| is_everywhere || pod.namespace() == item.namespace());
    if !pods.any(|pod| selects(labels, pod)) {
        let message = format!("spec.selector: no pod of namespace {} has these labels", item.namespace());
        findings.push(Finding::new("IST0127", item, message));
    }
}

fn namespaces(world: &World<'_>, item: &Item, findings: &mut Vec<Finding>) {
    // Files need not say which namespaces there are.
    if world.objects.of_kind("Namespace").next().is_none() {
        return;
    }
    for (rule, value) in item.object["spec"]["rules"].as_array().into_iter().flatten().enumerate() {
        for (from, value) in value["from"].as_array().into_iter().flatten().enumerate() {
            let names =
                value["source"]["namespaces"].as_array().into_iter().flatten().filter_map(Value::as_str);
            for name in names.filter(|name| !name.contains('*') && world.namespace(name).is_none()) {
                let message = format!(
                    "spec.rules[{rule}].from[{from}].source.namespaces: there is no namespace {name}"
                );
                findings.push(Finding::new("IST0101", item, message));
            }
        }
    }
}

const UNREAD: &[&str] = &[
    "Sidecar",
    "EnvoyFilter",
    "WasmPlugin",
    "Telemetry",
    "ProxyConfig",
    "TrafficExtension",
    "RequestAuthentication",
    "IstioOperator",
];
