//! NetworkPolicies that were written before there was a mesh: they name the ports of programs, and traffic of the mesh comes by
//! 15008.

use serde_json::Value;

use crate::analyze::Finding;
use crate::analyze::world::{World, selects};
use crate::objects::Item;

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for item in world.objects.of_kind("NetworkPolicy") {
        let spec = &item.object["spec"];
        let types = spec["policyTypes"].as_array();
        let is_ingress = types.is_none_or(|types| types.iter().any(|one| one == "Ingress"));
        let rules: Vec<&Value> = spec["ingress"].as_array().into_iter().flatten().collect();
        // One that lets nothing in means it.
        if !is_ingress || rules.is_empty() || rules.iter().any(|rule| lets_in(rule)) {
            continue;
        }
        let mut pods =
            world.pods().filter(|pod| pod.namespace() == item.namespace() && world.is_enrolled(pod));
        if let Some(pod) = pods.find(|pod| is_selected(&spec["podSelector"], pod)) {
            let message = format!(
                "spec.ingress: it lets ports in, and not 15008: other pods of the mesh do not reach {} any more; add port 15008 for the same peers",
                pod.name()
            );
            findings.push(Finding::new("WEIR0020", item, message));
        }
    }
    findings
}

fn is_selected(selector: &Value, pod: &Item) -> bool {
    // What expressions mean is not looked at: better a warning too few.
    selector["matchExpressions"].as_array().is_none_or(Vec::is_empty)
        && selects(&selector["matchLabels"], pod)
}

fn lets_in(rule: &Value) -> bool {
    let Some(ports) = rule["ports"].as_array().filter(|ports| !ports.is_empty()) else { return true };
    ports.iter().any(|port| {
        let tcp = port["protocol"].is_null() || port["protocol"] == "TCP";
        let from = port["port"].as_u64();
        let to = port["endPort"].as_u64().or(from);
        tcp && (port["port"].is_null() || (from <= Some(15008) && to >= Some(15008)))
    })
}
