//! `GET /config_dump`: what this waypoint serves, as JSON.

use serde_json::{Value, json};
use weir_control::dump::{certificate, compact, discovery};
use weir_proto::l7;
use weir_waypoint::balance::{Cluster, Endpoint};
use weir_waypoint::configuration::Served;

use crate::process::Running;

/// The dump, pretty-printed. It is made from one picture.
pub(crate) fn render(running: &Running) -> anyhow::Result<String> {
    let picture = running.serving.picture();
    let frontends = picture
        .services
        .iter()
        .map(|(name, served)| frontend(name, served, picture.waiting.get(name).map(String::as_str)));
    let backends = picture.backends.keys().map(|name| {
        let clusters = running.serving.clusters(name);
        json!({ "name": &**name, "clusters": clusters.iter().map(|c| cluster(c)).collect::<Vec<_>>() })
    });
    let waypoint = picture.services.values().next().map(|served| &served.waypoint);
    let policies = waypoint.map(|waypoint| policies(&waypoint.authorizations));
    let page = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "gateway": running.gateway,
        "workload": &*running.uid,
        "pending": running.pending(),
        "authorizations": policies,
        "frontends": frontends.collect::<Vec<_>>(),
        "backends": backends.collect::<Vec<_>>(),
        "waiting": picture.waiting.iter().map(|(name, why)| json!({ "frontend": &**name, "backend": why })).collect::<Vec<_>>(),
        "mesh": discovery(&running.mesh.report()),
        "discovery": discovery(&running.served.report()),
        "certificates": running.certificates.snapshot().iter().map(certificate).collect::<Vec<_>>(),
    });
    Ok(serde_json::to_string_pretty(&page)? + "\n")
}

fn frontend(name: &str, served: &Served, waits_for: Option<&str>) -> Value {
    let ports = served.routes.ports.iter().map(|port| {
        let http = port.http.iter().flat_map(|set| &set.rules).map(|rule| rule.name.as_str());
        let connections = port.tls.iter().chain(&port.tcp).map(|route| route.name.as_str());
        compact(json!({
            "port": port.port,
            "protocol": port.protocol().as_str_name(),
            "routes": http.chain(connections).collect::<Vec<_>>(),
        }))
    });
    compact(json!({
        "name": name,
        "ports": ports.collect::<Vec<_>>(),
        "authorizations": policies(&served.newest.authorizations),
        "newRoutesWaitFor": waits_for,
    }))
}

fn policies(policies: &[l7::Authorization]) -> Vec<String> {
    policies.iter().map(|policy| format!("{}/{}", policy.namespace, policy.name)).collect()
}

/// Nothing of a cluster's TLS: there may be keys in it.
fn cluster(cluster: &Cluster) -> Value {
    let form = cluster.form();
    compact(json!({
        "port": form.port,
        "subset": form.subset,
        "origin": form.origin,
        "refused": form.refused,
        "endpoints": cluster.endpoints().iter().map(|e| endpoint(e)).collect::<Vec<_>>(),
    }))
}

fn endpoint(endpoint: &Endpoint) -> Value {
    let form = endpoint.form();
    compact(json!({
        "address": endpoint.address().to_string(),
        "uid": form.uid,
        "identity": form.identity,
        "tunnel": form.tunnel,
        "locality": form.locality,
        "healthy": !form.unhealthy,
        "ejected": endpoint.is_ejected(),
        "requests": endpoint.active(),
    }))
}
