//! Policies with targets: how these stand to waypoints, as the mesh changes around them.

use rstest::rstest;
use weir_resources::Kind;

use super::{Mesh, message, told};

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: wp, namespace: shop}
spec:
  gatewayClassName: CLASS
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
status:
  addresses: [{type: IPAddress, value: 10.96.9.9}]
---
";

fn service(label: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop, labels: {{{label}}}}}
spec: {{clusterIP: 10.96.0.1, selector: {{app: web}}, ports: [{{name: http, port: 80}}]}}
---
"
    )
}

fn entry(label: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: ext, namespace: shop, labels: {{{label}}}}}
spec: {{hosts: [example.com], ports: [{{name: http, number: 80, protocol: HTTP}}], resolution: DNS}}
---
"
    )
}

fn policy(namespace: &str, target: &str) -> String {
    format!(
        "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: p, namespace: {namespace}}}
spec: {{targetRefs: [{{{target}}}], rules: [{{}}]}}
---
"
    )
}

fn waypoint_accepted(changes: &crate::Changes) -> String {
    let told = told(changes, Kind::AuthorizationPolicy, "p");
    told.iter().find_map(|c| c.strip_prefix("WaypointAccepted=")).unwrap_or("nothing new").to_owned()
}

#[rstest]
#[case::service("kind: Service, group: '', name: web", service as fn(&str) -> String, Kind::Service, "web")]
#[case::service_entry(
    "kind: ServiceEntry, group: networking.istio.io, name: ext",
    entry,
    Kind::ServiceEntry,
    "ext"
)]
fn a_target_comes_is_bound_and_goes(
    #[case] target: &str,
    #[case] object: fn(&str) -> String,
    #[case] kind: Kind,
    #[case] name: &str,
) {
    let bound = object("istio.io/use-waypoint: wp");
    let gateway = GATEWAY.replace("CLASS", "weir-waypoint");
    let mut mesh = Mesh::new();
    assert_eq!(waypoint_accepted(&mesh.apply(&policy("shop", target))), "False/TargetNotFound");
    let changes = mesh.apply(&object(""));
    assert_eq!(waypoint_accepted(&changes), "False/AncestorNotBound");
    assert!(message(&changes, "p", "WaypointAccepted").contains("istio.io/use-waypoint"));
    let changes = mesh.apply(&bound);
    assert_eq!(waypoint_accepted(&changes), "False/AncestorNotBound");
    assert!(message(&changes, "p", "WaypointAccepted").contains("shop/wp does not exist"));
    assert_eq!(waypoint_accepted(&mesh.apply(&gateway)), "True/Accepted");
    assert_eq!(waypoint_accepted(&mesh.apply(&gateway)), "nothing new");
    assert_eq!(waypoint_accepted(&mesh.delete(Kind::Gateway, "shop", "wp")), "False/AncestorNotBound");
    assert_eq!(waypoint_accepted(&mesh.delete(kind, "shop", name)), "False/TargetNotFound");
}

#[test]
fn a_namespace_binds_what_is_in_it() {
    let namespace = |label: &str| {
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{{label}}}}}\n---\n")
    };
    let mut mesh = Mesh::new();
    let objects = service("") + &GATEWAY.replace("CLASS", "weir-waypoint");
    mesh.apply(&(objects + &policy("shop", "kind: Service, name: web")));
    let changes = mesh.apply(&namespace("istio.io/use-waypoint: wp"));
    assert_eq!(waypoint_accepted(&changes), "True/Accepted");
    assert_eq!(waypoint_accepted(&mesh.apply(&namespace(""))), "False/AncestorNotBound");
}

#[rstest]
#[case::ours("weir-waypoint", "True/Accepted")]
#[case::somebody_elses("nginx", "False/AncestorNotBound")]
fn a_gateway_is_a_waypoint_or_not(#[case] class: &str, #[case] expected: &str) {
    let mut mesh = Mesh::new();
    let target = "kind: Gateway, group: gateway.networking.k8s.io, name: wp";
    assert_eq!(waypoint_accepted(&mesh.apply(&policy("shop", target))), "False/TargetNotFound");
    assert_eq!(waypoint_accepted(&mesh.apply(&GATEWAY.replace("CLASS", class))), expected);
    assert_eq!(waypoint_accepted(&mesh.delete(Kind::Gateway, "shop", "wp")), "False/TargetNotFound");
}

#[rstest]
#[case::ours("weir-waypoint", "True/Accepted")]
#[case::unknown("nginx", "False/TargetNotFound")]
fn a_class_is_known_or_not(#[case] class: &str, #[case] expected: &str) {
    let mut mesh = Mesh::new();
    let target = format!("kind: GatewayClass, group: gateway.networking.k8s.io, name: {class}");
    assert_eq!(waypoint_accepted(&mesh.apply(&policy("weir-system", &target))), expected);
}
