//! VirtualServices and DestinationRules: hosts, subsets, gateways, rules that nothing reaches.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::analyze::Finding;
use crate::analyze::world::World;
use crate::objects::Item;

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for item in world.objects.of_kind("VirtualService") {
        destinations(world, item, &mut findings);
        gateways(world, item, &mut findings);
        unreachable(item, &mut findings);
    }
    conflicts(world, &mut findings);
    for item in world.objects.of_kind("DestinationRule") {
        let host = item.object["spec"]["host"].as_str().unwrap_or_default();
        let full = world.full(host, item.namespace());
        if !host.is_empty() && !world.has_host(&full) {
            findings.push(Finding::new("IST0101", item, format!("spec.host: there is no service {full}")));
        }
        verification(item, &mut findings);
    }
    findings
}

fn destinations(world: &World<'_>, item: &Item, findings: &mut Vec<Finding>) {
    for (path, destination) in all_destinations(item) {
        let Some(host) = destination["host"].as_str().filter(|host| !host.is_empty()) else { continue };
        let full = world.full(host, item.namespace());
        if !world.has_host(&full) {
            findings.push(Finding::new("IST0101", item, format!("{path}.host: there is no service {full}")));
            continue;
        }
        let Some(subset) = destination["subset"].as_str() else { continue };
        let has = |rule: &Item| {
            let host = rule.object["spec"]["host"].as_str().unwrap_or_default();
            let mut subsets = rule.object["spec"]["subsets"].as_array().into_iter().flatten();
            world.full(host, rule.namespace()) == full && subsets.any(|known| known["name"] == subset)
        };
        if !world.objects.of_kind("DestinationRule").any(has) {
            let message = format!("{path}.subset: no DestinationRule of {full} has a subset {subset}");
            findings.push(Finding::new("IST0101", item, message));
        }
    }
}

/// Every destination, with its path.
fn all_destinations(item: &Item) -> Vec<(String, &Value)> {
    let spec = &item.object["spec"];
    let mut all = Vec::new();
    for protocol in ["http", "tls", "tcp"] {
        for (at, rule) in spec[protocol].as_array().into_iter().flatten().enumerate() {
            let base = format!("spec.{protocol}[{at}]");
            for (index, route) in rule["route"].as_array().into_iter().flatten().enumerate() {
                all.push((format!("{base}.route[{index}].destination"), &route["destination"]));
            }
            all.push((format!("{base}.mirror"), &rule["mirror"]));
            for (index, mirror) in rule["mirrors"].as_array().into_iter().flatten().enumerate() {
                all.push((format!("{base}.mirrors[{index}].destination"), &mirror["destination"]));
            }
        }
    }
    all
}

fn gateways(world: &World<'_>, item: &Item, findings: &mut Vec<Finding>) {
    let gateways = item.object["spec"]["gateways"].as_array().into_iter().flatten();
    for gateway in gateways.filter_map(Value::as_str).filter(|name| *name != "mesh") {
        let (namespace, name) = gateway.split_once('/').unwrap_or((item.namespace(), gateway));
        let is_it = |known: &Item| known.name() == name && known.namespace() == namespace;
        if !world.objects.of_kind("Gateway").any(is_it) {
            let message = format!("spec.gateways: there is no Gateway {namespace}/{name}");
            findings.push(Finding::new("IST0101", item, message));
        }
    }
}

/// A rule without a match takes everything; what is behind it, nothing.
fn unreachable(item: &Item, findings: &mut Vec<Finding>) {
    let Some(rules) = item.object["spec"]["http"].as_array() else { return };
    let takes_all = |rule: &Value| {
        let matches = rule["match"].as_array();
        matches.is_none_or(Vec::is_empty)
            || matches.into_iter().flatten().any(|one| {
                let fields = one.as_object();
                fields.is_none_or(|fields| fields.keys().all(|key| key == "name"))
            })
    };
    let Some(first) = rules.iter().position(takes_all) else { return };
    for at in first + 1..rules.len() {
        let message = format!("spec.http[{at}]: never reached: spec.http[{first}] takes everything");
        findings.push(Finding::new("IST0130", item, message));
    }
}

/// Several about one host of the mesh.
fn conflicts(world: &World<'_>, findings: &mut Vec<Finding>) {
    let mut by_host: BTreeMap<(String, &str), Vec<&Item>> = BTreeMap::new();
    for item in world.objects.of_kind("VirtualService") {
        let gateways = item.object["spec"]["gateways"].as_array();
        let is_of_mesh = gateways.is_none_or(|all| all.is_empty() || all.iter().any(|one| one == "mesh"));
        let hosts = item.object["spec"]["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for host in hosts.filter(|_| is_of_mesh) {
            // In different namespaces they may be for different clients.
            by_host.entry((world.full(host, item.namespace()), item.namespace())).or_default().push(item);
        }
    }
    for ((host, _), items) in by_host.into_iter().filter(|(_, items)| items.len() > 1) {
        let names: Vec<_> = items.iter().map(|item| item.name()).collect();
        for item in &items {
            let message = format!(
                "spec.hosts: {host} is the host of {}; one of them decides, by age",
                names.join(", ")
            );
            findings.push(Finding::new("IST0109", item, message));
        }
    }
}

fn verification(item: &Item, findings: &mut Vec<Finding>) {
    let tls = &item.object["spec"]["trafficPolicy"]["tls"];
    let is_plain_tls = tls["mode"] == "SIMPLE" || tls["mode"] == "MUTUAL";
    let is_checked = ["caCertificates", "credentialName"]
        .iter()
        .any(|field| tls[*field].as_str().is_some_and(|text| !text.is_empty()));
    if is_plain_tls && !is_checked {
        let message = "spec.trafficPolicy.tls: neither caCertificates nor credentialName: the system's roots decide, and no name is checked unless \
                       subjectAltNames are given";
        if tls["subjectAltNames"].as_array().is_none_or(Vec::is_empty) {
            findings.push(Finding::new("IST0128", item, message));
        }
    }
}
