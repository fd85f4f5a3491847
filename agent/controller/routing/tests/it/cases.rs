//! Tables of cases: a piece of YAML, and what becomes of it in one line.

mod destination_rule;
mod grpc_route;
mod hosts;
mod http_route;
mod virtual_service;

use weir_proto::l7;
use weir_routing::Problem;

use crate::text;
use crate::world::World;

/// The services that the cases name.
pub(crate) const SERVICES: &str = r#"
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}, {name: http-b, port: 81}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: api, namespace: back}, spec: {ports: [{name: http, port: 8080}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: grpc}, spec: {ports: [{name: grpc, port: 9000}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: raw}, spec: {ports: [{name: tcp, port: 70}, {name: tls, port: 71}, {name: any, port: 72}]}}
---
{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: web}, spec: {host: web, subsets: [{name: v1, labels: {version: v1}}]}}
"#;

/// With the services.
pub(crate) fn world(objects: &str) -> World {
    World::new(&format!("{SERVICES}---\n{objects}"))
}

/// The rules that a service has for all clients at a port.
pub(crate) fn rules(world: &World, host: &str, port: u32) -> Vec<l7::Rule> {
    assert_eq!(world.check(), Ok(()));
    let frontend = world.frontend(world.find(host)).form;
    let port = frontend.ports.into_iter().find(|one| one.port == port).unwrap();
    port.http.into_iter().find(|set| set.source_namespace.is_empty()).map(|set| set.rules).unwrap_or_default()
}

/// What a rule does, without what all have.
pub(crate) fn action(rule: &l7::Rule) -> String {
    let text = text::line(&l7::Rule { name: String::new(), matches: Vec::new(), ..rule.clone() });
    let text = text.replace(", no_backend_status: 503", "").replace(", no_backend_status: 500", "");
    text.replace("no_backend_status: 503", "")
        .replace("no_backend_status: 500", "")
        .replace(".default.svc.cluster.local", "")
        .replace(".svc.cluster.local", "")
        .replace("backends: [{weight: 1, target: Backend(web:80)}]", "web")
}

/// Fields and effects, or what else is to be told.
pub(crate) fn told<'a>(problems: impl Iterator<Item = &'a Problem>) -> String {
    problems.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
