//! What node agents are told of connections, and what the authors of DestinationRules are told of that.

use weir_resources::Kind;

use super::{DB, GATEWAY, NAMESPACE, SERVICES, SUBSETS, WEB, mesh};
use crate::tests::{Mesh, changed, message, told};

const POOL: &str = "{connectionPool: {tcp: {maxConnections: 2, connectTimeout: 1s}}}";

fn rule(namespace: &str, name: &str, host: &str, more: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{host: {host}, {more}}}\n---\n"
    )
}

/// Who limits a client's connections to a service.
fn origin(mesh: &Mesh, service: &str, client: &str) -> String {
    let service = mesh.service(service).unwrap();
    service.policy(80, client).map(|policy| policy.origin.to_string()).unwrap_or_default()
}

#[test]
fn a_rule_comes_and_goes_with_the_services_of_its_host() {
    let mut mesh = mesh("");
    let changes = mesh.apply(&rule("bank", "db", "db", &format!("trafficPolicy: {POOL}")));
    assert_eq!(changed(&changes), [DB], "and of no other service");
    let policy = mesh.service(DB).unwrap().policy(80, "anywhere").unwrap().clone();
    assert_eq!((policy.max_connections, &*policy.origin), (Some(2), "DestinationRule/bank/db"));
    // A service that comes later.
    mesh.apply(&rule("bank", "late", "late", &format!("trafficPolicy: {POOL}")));
    mesh.apply(&SERVICES.replace("name: db", "name: late").replace("10.96.0.2", "10.96.0.3"));
    assert_eq!(origin(&mesh, "bank/late.bank.svc.cluster.local", "x"), "DestinationRule/bank/late");
    // Another host, then no rule.
    let changes = mesh.apply(&rule("bank", "db", "gone", &format!("trafficPolicy: {POOL}")));
    assert_eq!(changed(&changes), [DB]);
    assert_eq!(origin(&mesh, DB, "x"), "");
    mesh.apply(&rule("bank", "db", "'*.bank.svc.cluster.local'", &format!("trafficPolicy: {POOL}")));
    assert_eq!(origin(&mesh, DB, "x"), "DestinationRule/bank/db");
    let changes = mesh.delete(Kind::DestinationRule, "bank", "db");
    assert_eq!(changed(&changes), [DB], "its own rule, which is closer, holds for the other");
    assert_eq!(origin(&mesh, DB, "x"), "");
}

#[test]
fn the_clients_namespace_comes_before_the_services_and_that_before_the_meshs() {
    let policy = format!("trafficPolicy: {POOL}");
    let mut mesh = mesh(&rule("weir-system", "all", "'*.local'", &policy));
    assert_eq!(origin(&mesh, DB, "bank"), "DestinationRule/weir-system/all");
    mesh.apply(&rule("bank", "db", "db", &format!("exportTo: [bank, web], {policy}")));
    mesh.apply(&rule("web", "own", "db.bank.svc.cluster.local", &policy));
    let of = |client| origin(&mesh, DB, client);
    assert_eq!(of("bank"), "DestinationRule/bank/db");
    assert_eq!(of("web"), "DestinationRule/web/own");
    assert_eq!(of("elsewhere"), "DestinationRule/weir-system/all");
}

/// What holds at its waypoint is not held against the connections to the waypoint.
#[test]
fn a_service_with_a_waypoint_has_none() {
    let mut mesh = mesh(&rule("shop", "web", "web", &format!("trafficPolicy: {POOL}")));
    assert_eq!(origin(&mesh, WEB, "x"), "");
    assert!(mesh.backend(WEB).unwrap().clusters[0].connection_pool.is_some());
    mesh.delete(Kind::Namespace, "shop", "shop");
    mesh.apply(&NAMESPACE.replace(", labels: {istio.io/use-waypoint: wp}", ""));
    assert_eq!(origin(&mesh, WEB, "x"), "DestinationRule/shop/web");
    mesh.apply(NAMESPACE);
    assert_eq!(origin(&mesh, WEB, "x"), "");
}

#[test]
fn the_author_is_told_what_agents_enforce() {
    let mut mesh = mesh("");
    let outlier = "{outlierDetection: {consecutive5xxErrors: 1}}";
    let changes = mesh.apply(&rule("bank", "db", "db", &format!("trafficPolicy: {outlier}")));
    assert_eq!(
        told(&changes, Kind::DestinationRule, "db"),
        ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"]
    );
    assert_eq!(
        message(&changes, "db", "Accepted"),
        "spec.trafficPolicy: db.bank.svc.cluster.local has no waypoint: trafficPolicy.outlierDetection is enforced by the node agents, which see connections that cannot be made and no responses"
    );
    let more = "trafficPolicy: {loadBalancer: {simple: RANDOM}, connectionPool: {tcp: {maxConnections: 1, idleTimeout: 1s}}}";
    let changes = mesh.apply(&rule("bank", "db", "db", &format!("{more}, subsets: [{{name: v1}}]")));
    assert_eq!(
        message(&changes, "db", "Accepted"),
        "spec.trafficPolicy: db.bank.svc.cluster.local has no waypoint: trafficPolicy.connectionPool.tcp.maxConnections is enforced by the node agents"
    );
    let missing = message(&changes, "db", "istio.io/WaypointMissing");
    let expected = "db.bank.svc.cluster.local has no waypoint, and only waypoints of others that send to it follow trafficPolicy.loadBalancer, trafficPolicy.connectionPool.tcp.idleTimeout, subsets[0]; label";
    assert!(missing.starts_with(expected), "{missing}");
    let changes =
        mesh.apply(&rule("web", "own", "db.bank.svc.cluster.local", &format!("trafficPolicy: {POOL}")));
    let said = message(&changes, "own", "Accepted");
    assert!(
        said.ends_with("tcp.connectTimeout is enforced by the node agents, for clients of web"),
        "{said}"
    );
}

#[test]
fn the_author_is_told_who_decides_instead() {
    let policy = format!("trafficPolicy: {POOL}");
    let mut mesh = mesh(&rule("bank", "a", "db", &policy));
    let changes = mesh.apply(&rule("bank", "b", "db", &policy));
    let said = message(&changes, "b", "PartiallyInvalid");
    assert!(said.contains("DestinationRule/bank/a is older and says this for db.bank"), "{said}");
    // The service's own namespace comes first, for its clients and for those of others.
    let changes = mesh.apply(&rule(
        "weir-system",
        "c",
        "db.bank.svc.cluster.local",
        &format!("exportTo: [bank], {policy}"),
    ));
    let said = message(&changes, "c", "PartiallyInvalid");
    assert!(
        said.contains(
            "holds for no client of db.bank.svc.cluster.local, where this is said by DestinationRule/bank/a"
        ),
        "{said}"
    );
    // Exported to nobody.
    let changes =
        mesh.apply(&rule("web", "d", "db.bank.svc.cluster.local", &format!("exportTo: ['~'], {policy}")));
    let said = message(&changes, "d", "PartiallyInvalid");
    assert!(said.contains("holds for no client of db.bank.svc.cluster.local, where"), "{said}");
    let changes =
        mesh.apply(&rule("shop", "e", "late.bank.svc.cluster.local", &format!("exportTo: ['~'], {policy}")));
    assert!(message(&changes, "e", "istio.io/WaypointMissing").contains("there is no such service"));
    let changes = mesh.apply(&SERVICES.replace("name: db", "name: late").replace("10.96.0.2", "10.96.0.3"));
    let said = message(&changes, "e", "PartiallyInvalid");
    assert!(said.ends_with("holds for no client of late.bank.svc.cluster.local (ignored)"), "{said}");
    // It is told anew when that is no longer so.
    let changes = mesh.delete(Kind::DestinationRule, "bank", "a");
    let said = message(&changes, "b", "Accepted");
    assert!(said.contains("is enforced by the node agents"), "{said}");
}

#[test]
fn of_a_wildcard_it_is_told_in_general() {
    let more = "trafficPolicy: {connectionPool: {tcp: {tcpKeepalive: {}}, http: {maxRetries: 1}}}";
    let changes = mesh("").apply(&rule("bank", "wide", "'*.bank.svc.cluster.local'", more));
    assert_eq!(
        message(&changes, "wide", "Accepted"),
        "spec.trafficPolicy: where a service has no waypoint, trafficPolicy.connectionPool.tcp.tcpKeepalive is enforced by the node agents, and only waypoints of others that send to it follow trafficPolicy.connectionPool.http"
    );
}

#[test]
fn subsets_alone_want_a_waypoint() {
    let mut mesh = Mesh::new();
    mesh.apply(&[GATEWAY, SERVICES].concat());
    let changes = mesh.apply(SUBSETS);
    assert_eq!(told(&changes, Kind::DestinationRule, "web")[2], "istio.io/WaypointMissing=True/NoWaypoint");
    assert_eq!(origin(&mesh, WEB, "x"), "");
}
