//! Waypoints' Gateways and classes: what is to be run, and what they are told.

use rstest::rstest;
use serde_json::json;
use weir_resources::{Key, Kind};

use super::{Mesh, told};
use crate::{Config, Deployed, StatusUpdate};

fn gateway(class: &str, more: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: wp, namespace: shop, generation: 1}}\n\
         spec: {{gatewayClassName: {class}{more}}}\n"
    )
}

fn waypoint() -> String {
    gateway("weir-waypoint", ", listeners: [{name: mesh, port: 15008, protocol: HBONE}]")
}

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: wp, namespace: shop}
spec: {clusterIP: 10.96.0.9, selector: {gateway.networking.k8s.io/gateway-name: wp}, ports: [{port: 15008}]}
";

fn pod(ready: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: wp-1, namespace: shop, labels: {{gateway.networking.k8s.io/gateway-name: wp}}}}\n\
         spec: {{nodeName: a}}\n\
         status: {{phase: Running, podIP: 10.0.0.1, conditions: [{{type: Ready, status: '{ready}'}}]}}\n"
    )
}

fn key() -> Key {
    Key::new(Kind::Gateway, "shop", "wp")
}

fn status(mesh: &Mesh) -> StatusUpdate {
    mesh.index.statuses().into_iter().find(|update| update.key == key()).expect("a status")
}

/// Reason and message of one condition.
fn said(mesh: &Mesh, kind: &str) -> (String, String) {
    let condition = status(mesh).conditions.into_iter().find(|c| c.kind == kind).expect("a condition");
    (format!("{}/{}", condition.status, condition.reason), condition.message)
}

#[test]
fn a_waypoint_is_programmed_when_a_pod_is_ready_and_keeps_its_address() {
    let mut mesh = Mesh::new();
    mesh.apply(&waypoint());
    assert_eq!(said(&mesh, "Accepted").0, "True/Accepted");
    assert_eq!(said(&mesh, "Programmed"), ("False/Pending".into(), "there is no Service shop/wp yet".into()));
    mesh.apply(SERVICE);
    assert_eq!(said(&mesh, "Programmed").0, "False/AddressNotAssigned");
    mesh.apply(&pod("False"));
    assert_eq!(said(&mesh, "Programmed").0, "False/AddressNotAssigned");
    mesh.apply(&pod("True"));
    assert_eq!(said(&mesh, "Programmed").0, "True/Programmed");
    let told = status(&mesh).gateway.expect("more to say");
    let addresses = json!([
        {"type": "IPAddress", "value": "10.96.0.9"}, {"type": "Hostname", "value": "wp.shop.svc.cluster.local"},
    ]);
    assert_eq!(json!(told.addresses), addresses);
    let (listener, conditions) = &told.listeners.expect("listeners")[0];
    assert_eq!(*listener, json!({"name": "mesh", "attachedRoutes": 0, "supportedKinds": []}));
    let conditions: Vec<_> = conditions.iter().map(|c| format!("{}={}", c.kind, c.status)).collect();
    assert_eq!(conditions, ["Accepted=True", "Conflicted=False", "Programmed=True", "ResolvedRefs=True"]);

    // As it is when it has been written: only what changes is written again.
    let written = format!("{}status: {}\n", waypoint(), json!({"addresses": addresses}));
    mesh.apply(&written);
    assert_eq!(status(&mesh).gateway.and_then(|told| told.addresses), None);
    mesh.apply(&pod("False"));
    assert_eq!(
        said(&mesh, "Programmed"),
        ("False/Pending".into(), "no pod of Service shop/wp is ready".into())
    );
    assert_eq!(status(&mesh).gateway.and_then(|told| told.addresses), None);
}

#[rstest]
#[case::none("", "False/ListenersNotValid", "a waypoint needs one with protocol HBONE and port 15008")]
#[case::other(
    ", listeners: [{name: http, port: 80, protocol: HTTP}]",
    "False/ListenersNotValid",
    "listener http: "
)]
#[case::two(
    ", listeners: [{name: a, port: 15008, protocol: HBONE, hostname: a.b}, {name: b, port: 15008, protocol: HBONE}]",
    "False/ListenersNotValid",
    "listener b has port 15008, too"
)]
#[case::beside(
    ", listeners: [{name: mesh, port: 15008, protocol: HBONE}, {name: http, port: 80, protocol: HTTP}]",
    "True/ListenersNotValid",
    "listener http is not served"
)]
#[case::unreadable(", listeners: [{name: mesh, port: 70000}]", "False/Invalid", "spec.listeners[0].port")]
#[case::address(
    ", addresses: [{value: 10.0.0.1}], listeners: [{name: mesh, port: 15008, protocol: HBONE}]",
    "False/UnsupportedAddress",
    "spec.addresses: \"10.0.0.1\""
)]
fn what_is_not_accepted(#[case] spec: &str, #[case] reason: &str, #[case] message: &str) {
    let mut mesh = Mesh::new();
    mesh.apply(&gateway("weir-waypoint", spec));
    let (found, why) = said(&mesh, "Accepted");
    assert_eq!(found, reason, "{why}");
    assert!(why.contains(message), "{why}");
    let runs = reason.starts_with("True");
    assert_eq!(mesh.index.take_waypoints().unwrap_or_default().len(), usize::from(runs));
}

#[test]
fn listeners_say_what_is_wrong_with_each() {
    let mut mesh = Mesh::new();
    let listeners = ", listeners: [{name: a, port: 15008, protocol: HBONE, allowedRoutes: {kinds: [{kind: HTTPRoute}]}}, \
        {name: b, port: 80, protocol: HTTP}, {name: c, port: 81, protocol: TCP}, {name: d, port: 81, protocol: HTTP}]";
    mesh.apply(&gateway("weir-waypoint", listeners));
    let listeners = status(&mesh).gateway.and_then(|told| told.listeners).expect("listeners");
    let reasons = listeners.iter().map(|(_, all)| {
        all.iter().filter(|c| c.kind != "Programmed").map(|c| c.reason.as_str()).collect::<Vec<_>>().join(" ")
    });
    assert_eq!(
        reasons.collect::<Vec<_>>(),
        [
            "Accepted NoConflicts InvalidRouteKinds",
            "UnsupportedProtocol NoConflicts ResolvedRefs",
            "PortUnavailable ProtocolConflict ResolvedRefs",
            "PortUnavailable ProtocolConflict ResolvedRefs",
        ]
    );
}

#[rstest]
#[case(Deployed::Invalid("x: y".into()), "Accepted", "False/InvalidParameters", "x: y; what runs is left as it is")]
#[case(Deployed::Foreign("theirs".into()), "Programmed", "False/Invalid", "theirs")]
#[case(Deployed::Failed("later".into()), "Programmed", "False/Pending", "later")]
#[case(Deployed::Done, "Programmed", "True/Programmed", "pods are ready")]
fn what_came_of_running_it_is_told(
    #[case] outcome: Deployed,
    #[case] kind: &str,
    #[case] reason: &str,
    #[case] message: &str,
) {
    let mut mesh = Mesh::new();
    mesh.apply(&[waypoint(), SERVICE.to_owned(), pod("True")].join("---\n"));
    mesh.index.deployed(&key(), outcome);
    mesh.index.commit();
    assert_eq!(said(&mesh, kind), (reason.to_owned(), message.to_owned()));
    mesh.index.deployed(&key(), Deployed::Done);
    let changes = mesh.index.commit();
    assert!(changes.statuses.len() < 2);
    assert_eq!(said(&mesh, "Programmed").0, "True/Programmed");
}

#[test]
fn one_that_is_deployed_by_hand_is_where_it_says() {
    let mut mesh = Mesh::new();
    let spec = |host: &str| {
        format!(
            ", addresses: [{{type: Hostname, value: {host}}}], listeners: [{{name: mesh, port: 15008, protocol: HBONE}}]"
        )
    };
    mesh.apply(&[SERVICE.to_owned(), pod("True")].join("---\n"));
    mesh.apply(&gateway("weir-waypoint", &spec("wp.shop.svc.cluster.local")));
    assert_eq!(said(&mesh, "Programmed").0, "True/Programmed");
    assert!(mesh.index.take_waypoints().unwrap_or_default().is_empty(), "nobody else deploys it");
    mesh.apply(&gateway("weir-waypoint", &spec("wp.other.svc.cluster.local")));
    assert_eq!(said(&mesh, "Programmed").0, "False/AddressNotUsable");
}

#[test]
fn classes_of_others_are_left() {
    let mut mesh = Mesh::new();
    let class = |name: &str, controller: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {{name: {name}}}\nspec: {{controllerName: {controller}}}\n"
        )
    };
    let listeners = ", listeners: [{name: mesh, port: 15008, protocol: HBONE}]";
    let is_run = |mesh: &mut Mesh| mesh.index.take_waypoints().map(|all| all.len());
    mesh.apply(&gateway("istio-waypoint", listeners));
    assert_eq!((is_run(&mut mesh), mesh.index.statuses().len()), (Some(0), 0), "not adopted");
    mesh.apply(&gateway("mine", listeners));
    assert_eq!(is_run(&mut mesh), Some(0));
    let changes = mesh.apply(&class("mine", "weir.dev/controller"));
    assert_eq!(
        told(&changes, Kind::GatewayClass, "mine"),
        ["Accepted=True/Accepted", "SupportedVersion=True/SupportedVersion"]
    );
    assert_eq!(is_run(&mut mesh), Some(1), "a class is ours by its controller");
    mesh.apply(&class("weir-waypoint", "example.com/other"));
    mesh.apply(&waypoint());
    assert_eq!(is_run(&mut mesh), Some(0), "and not by its name");
    assert!(mesh.index.statuses().iter().all(|update| update.key.kind == Kind::GatewayClass));

    let mut adopted = Mesh::with(Config { adopt_istio_classes: true, ..Config::default() });
    adopted.apply(&gateway("istio-waypoint", listeners));
    assert_eq!(is_run(&mut adopted), Some(1));
    adopted.apply(&class("istio-waypoint", "istio.io/mesh-controller"));
    assert_eq!(is_run(&mut adopted), Some(1));
}

#[test]
fn a_class_tells_what_is_supported() {
    let mut mesh = Mesh::new();
    let class = "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: weir-waypoint}\n\
        spec: {controllerName: weir.dev/controller, parametersRef: {group: x, kind: Y, name: z}}\n";
    let changes = mesh.apply(class);
    assert_eq!(told(&changes, Kind::GatewayClass, "weir-waypoint")[0], "Accepted=False/InvalidParameters");
    let features = changes.statuses[0].gateway.clone().and_then(|told| told.features).expect("features");
    assert!(features.contains(&"Mesh".into()));
    mesh.index.gateway_api(Some("v9.0.0".into()));
    let changes = mesh.index.commit();
    assert_eq!(
        told(&changes, Kind::GatewayClass, "weir-waypoint")[1],
        "SupportedVersion=False/UnsupportedVersion"
    );
}

#[test]
fn what_is_to_be_run_does_not_change_with_a_status() {
    let mut mesh = Mesh::new();
    mesh.apply(&waypoint());
    let first = mesh.index.take_waypoints().expect("news");
    assert!(mesh.index.take_waypoints().is_none());
    mesh.apply(&format!("{}status: {{conditions: [{{type: Accepted, status: 'True'}}]}}\n", waypoint()));
    assert!(mesh.index.take_waypoints().is_none());
    mesh.apply(&format!("{}status: {{addresses: [{{value: 10.96.0.9}}]}}\n", waypoint()));
    assert_eq!(mesh.index.take_waypoints().unwrap_or_else(|| first.clone()), first);
    mesh.delete(Kind::Gateway, "shop", "wp");
    assert!(mesh.index.take_waypoints().expect("news").is_empty());
}
