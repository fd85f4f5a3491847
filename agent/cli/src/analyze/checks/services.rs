//! Services and ServiceEntries: ports that say no protocol, TCP without addresses.

use serde_json::Value;

use crate::analyze::Finding;
use crate::analyze::world::World;

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for item in world.objects.of_kind("Service") {
        // Where no waypoint looks at requests, nobody needs to know.
        let has_waypoint = |item: &crate::objects::Item| {
            item.meta("labels", "istio.io/use-waypoint").is_some_and(|name| name != "none")
        };
        let namespace = world.namespace(item.namespace());
        if !has_waypoint(item) && !namespace.is_some_and(has_waypoint) {
            continue;
        }
        for (at, port) in item.object["spec"]["ports"].as_array().into_iter().flatten().enumerate() {
            let name = port["name"].as_str().unwrap_or_default();
            let protocol = name.split('-').next().unwrap_or_default();
            if port["protocol"] != "UDP" && port["appProtocol"].is_null() && !PROTOCOLS.contains(&protocol) {
                let message = format!(
                    "spec.ports[{at}]: neither its name ({name:?}) nor appProtocol says what is spoken on {}; http-{name} would",
                    port["port"]
                );
                findings.push(Finding::new("IST0118", item, message));
            }
        }
    }
    for item in world.objects.of_kind("ServiceEntry") {
        let spec = &item.object["spec"];
        let ports = spec["ports"].as_array().into_iter().flatten();
        let is_tcp = |port: &Value| {
            matches!(port["protocol"].as_str(), Some("TCP" | "MONGO" | "MYSQL" | "REDIS") | None)
        };
        let has_addresses = spec["addresses"].as_array().is_some_and(|all| !all.is_empty());
        let is_given = item.meta("labels", "networking.istio.io/enable-autoallocate-ip") != Some("false");
        if ports.into_iter().any(is_tcp) && !has_addresses && !is_given {
            let message = "spec.addresses: a TCP port, no address, and none is to be given: the entry cannot be told from others";
            findings.push(Finding::new("IST0134", item, message));
        }
    }
    findings
}

const PROTOCOLS: &[&str] =
    &["http", "http2", "https", "grpc", "tcp", "tls", "mongo", "mysql", "redis", "udp"];
