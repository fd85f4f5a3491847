//! Who goes through which waypoint.

use rstest::rstest;
use weir_model::GatewayDestination;
use weir_resources::Kind;

use super::{Mesh, changed, message, pod, told};
use crate::Config;

const WEB: &str = "shop/web.shop.svc.cluster.local";

fn service(labels: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop, labels: {{{labels}}}}}
spec: {{clusterIP: 10.96.0.1, ports: [{{port: 80}}]}}
---
"
    )
}

fn namespace(name: &str, labels: &str) -> String {
    format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n---\n")
}

/// A waypoint that is ready.
fn gateway(namespace: &str, name: &str, labels: &str, allowed: &str) -> String {
    format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: {namespace}, labels: {{{labels}}}}}
spec:
  gatewayClassName: weir-waypoint
  listeners: [{{name: mesh, port: 15008, protocol: HBONE{allowed}}}]
status:
  addresses:
  - {{type: IPAddress, value: 10.96.9.9}}
  - {{type: Hostname, value: {name}.{namespace}.svc.cluster.local}}
---
"
    )
}

fn of_service(mesh: &Mesh) -> Option<String> {
    host(mesh.service(WEB).unwrap().waypoint)
}

fn of_pod(mesh: &Mesh) -> Option<String> {
    host(mesh.pod("shop/a").unwrap().waypoint.map(|waypoint| *waypoint))
}

fn host(waypoint: Option<weir_model::GatewayAddress>) -> Option<String> {
    waypoint.map(|waypoint| {
        assert_eq!(waypoint.hbone_mtls_port, 15008);
        match waypoint.destination {
            GatewayDestination::Hostname(key) => key.to_string(),
            GatewayDestination::Address { ip, .. } => ip.to_string(),
        }
    })
}

const BOUND: &str = "istio.io/WaypointBound";
const WP: &str = "shop/wp.shop.svc.cluster.local";

#[rstest]
#[case::nobody("", "", "", None, None)]
#[case::own_label("istio.io/use-waypoint: wp", "", "", Some(WP), None)]
#[case::the_namespaces("", "istio.io/use-waypoint: wp", "", Some(WP), None)]
#[case::own_beats_namespace("istio.io/use-waypoint: none", "istio.io/use-waypoint: wp", "", None, None)]
#[case::all("", "istio.io/use-waypoint: wp", "istio.io/waypoint-for: all", Some(WP), Some(WP))]
#[case::workload("", "istio.io/use-waypoint: wp", "istio.io/waypoint-for: workload", None, Some(WP))]
#[case::none("", "istio.io/use-waypoint: wp", "istio.io/waypoint-for: none", None, None)]
#[case::a_waypoint_itself(
    "gateway.istio.io/managed: istio.io-mesh-controller",
    "istio.io/use-waypoint: wp",
    "",
    None,
    None
)]
fn who_asks(
    #[case] own: &str,
    #[case] inherited: &str,
    #[case] kind: &str,
    #[case] expected_service: Option<&str>,
    #[case] expected_pod: Option<&str>,
) {
    // In whatever order the three become known.
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let pod = pod("shop", "a", "10.0.0.1", "");
        let texts = [namespace("shop", inherited), gateway("shop", "wp", kind, ""), service(own) + &pod];
        let mut mesh = Mesh::new();
        for text in order {
            mesh.apply(&texts[text]);
        }
        assert_eq!(of_service(&mesh).as_deref(), expected_service);
        assert_eq!(of_pod(&mesh).as_deref(), expected_pod);
    }
}

#[test]
fn a_waypoint_that_is_not_there_is_named_all_the_same() {
    let mut mesh = Mesh::new();
    let changes = mesh.apply(&service("istio.io/use-waypoint: wp"));
    assert_eq!(of_service(&mesh).as_deref(), Some(WP), "the node finds no such service and refuses");
    assert_eq!(told(&changes, Kind::Service, "web"), ["istio.io/WaypointBound=False/WaypointIsNotReady"]);
    assert!(message(&changes, "web", BOUND).contains("traffic is refused meanwhile"));

    let waiting = gateway("shop", "wp", "", "").split("status:").next().unwrap().to_owned();
    let changes = mesh.apply(&waiting);
    assert!(message(&changes, "web", BOUND).contains("status has no addresses"));
    let changes = mesh.apply(&gateway("shop", "wp", "", ""));
    assert_eq!(told(&changes, Kind::Service, "web"), ["istio.io/WaypointBound=True/WaypointAccepted"]);
    assert_eq!(of_service(&mesh).as_deref(), Some(WP));
    let changes = mesh.delete(Kind::Gateway, "shop", "wp");
    assert_eq!(told(&changes, Kind::Service, "web"), ["istio.io/WaypointBound=False/WaypointIsNotReady"]);
}

#[test]
fn a_missing_waypoint_of_the_namespace_stops_pods_too() {
    let mut mesh = Mesh::new();
    mesh.apply(&(namespace("shop", "istio.io/use-waypoint: wp") + &pod("shop", "a", "10.0.0.1", "")));
    assert_eq!(of_pod(&mesh).as_deref(), Some(WP), "what it would be for is not known");
    mesh.apply(&gateway("shop", "wp", "", ""));
    assert_eq!(of_pod(&mesh), None, "it is for services");
}

#[test]
fn istios_way_past_a_missing_waypoint_is_a_choice() {
    let mut mesh = Mesh::with(Config { waypoint_fallback_direct: true, ..Config::default() });
    let changes = mesh.apply(&service("istio.io/use-waypoint: wp"));
    assert_eq!(of_service(&mesh), None);
    assert!(message(&changes, "web", BOUND).contains("without it"));
}

#[test]
fn a_waypoint_for_other_traffic_is_refused_to_who_names_it() {
    let mut mesh = Mesh::new();
    let mut changes = mesh.apply(&gateway("shop", "wp", "istio.io/waypoint-for: workload", ""));
    changes.statuses.extend(mesh.apply(&service("istio.io/use-waypoint: wp")).statuses);
    assert_eq!(told(&changes, Kind::Service, "web"), ["istio.io/WaypointBound=False/UnsupportedTrafficType"]);
    assert_eq!(of_service(&mesh), None);
}

#[rstest]
#[case::not_said("", "", false)]
#[case::all(", allowedRoutes: {namespaces: {from: All}}", "", true)]
#[case::selected(
    ", allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}",
    "team: a",
    true
)]
#[case::not_selected(
    ", allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}",
    "team: b",
    false
)]
#[case::by_name(
    ", allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}}}",
    "",
    true
)]
fn another_namespaces_waypoint(#[case] allowed: &str, #[case] labels: &str, #[case] expected: bool) {
    let mut mesh = Mesh::new();
    mesh.apply(&gateway("infra", "wp", "", allowed));
    mesh.apply(&service("istio.io/use-waypoint: wp, istio.io/use-waypoint-namespace: infra"));
    let changes = mesh.apply(&namespace("shop", labels));
    let waypoint = of_service(&mesh).unwrap();
    if expected {
        assert_eq!(waypoint, "infra/wp.infra.svc.cluster.local");
    } else {
        assert_eq!(
            waypoint, "infra/attachment-denied.wp.infra.svc.cluster.local",
            "refused, and not sent there"
        );
        assert!(mesh.index.statuses()[0].conditions[0].reason == "AttachmentDenied");
    }
    drop(changes);
}

#[test]
fn an_address_without_a_name_is_used() {
    let mut mesh = Mesh::new();
    mesh.apply(&service("istio.io/use-waypoint: wp"));
    let yaml = gateway("shop", "wp", "", "");
    let only_ip: String =
        yaml.lines().filter(|line| !line.contains("Hostname")).collect::<Vec<_>>().join("\n");
    mesh.apply(&only_ip);
    assert_eq!(of_service(&mesh).as_deref(), Some("10.96.9.9"));
}

#[rstest]
#[case::share("25", "wp2", Some((75, 25)), "takes 25 %")]
#[case::nonsense("many", "wp2", None, "CanaryInvalidWeight")]
#[case::too_much("101", "wp2", None, "CanaryInvalidWeight")]
#[case::itself("25", "wp", None, "CanarySameAsPrimary")]
#[case::missing("25", "wp3", None, "WaypointIsNotReady")]
fn a_canary_takes_a_share(
    #[case] weight: &str,
    #[case] name: &str,
    #[case] expected: Option<(u32, u32)>,
    #[case] says: &str,
) {
    let mut mesh = Mesh::new();
    mesh.apply(&(gateway("shop", "wp", "", "") + &gateway("shop", "wp2", "", "")));
    let service = service(&format!("istio.io/use-waypoint: wp, istio.io/use-waypoint-canary: {name}"));
    let annotated = service.replace(
        "namespace: shop,",
        &format!("namespace: shop, annotations: {{istio.io/use-waypoint-canary-weight: '{weight}'}},"),
    );
    let changes = mesh.apply(&annotated);
    assert_eq!(told(&changes, Kind::Service, "web"), ["istio.io/WaypointBound=True/WaypointAccepted"]);
    assert!(message(&changes, "web", BOUND).contains(says), "{}", message(&changes, "web", BOUND));
    let Some(weir_proto::workload::address::Type::Service(message)) = mesh.message(WEB).unwrap().r#type
    else {
        panic!("a service")
    };
    let weights: Vec<_> = message.weighted_waypoints.iter().map(|w| w.weight).collect();
    assert_eq!(weights, expected.map_or_else(Vec::new, |(a, b)| vec![a, b]));
}

#[test]
fn a_gateway_for_services_does_not_touch_pods() {
    let mut mesh = Mesh::new();
    mesh.apply(&(namespace("shop", "istio.io/use-waypoint: wp") + &gateway("shop", "wp", "", "")));
    mesh.apply(&(service("") + &pod("shop", "a", "10.0.0.1", "")));
    let moved = gateway("shop", "wp", "", "").replace("wp.shop.svc", "wp-2.shop.svc");
    assert_eq!(changed(&mesh.apply(&moved)), [WEB]);
}

#[test]
fn connections_are_handed_to_a_foreign_waypoint_as_it_says() {
    let mut mesh = Mesh::new();
    mesh.apply(&pod("shop", "a", "10.0.0.1", "gateway.networking.k8s.io/gateway-name: wp"));
    let bound = gateway("shop", "wp", "", "").replace(
        "{name: wp,",
        "{annotations: {ambient.istio.io/waypoint-inbound-binding: PROXY/15088}, name: wp,",
    );
    mesh.apply(&bound);
    let tunnel = mesh.pod("shop/a").unwrap().application_tunnel.unwrap();
    assert_eq!((tunnel.proxy_header, tunnel.port), (true, 15088));
}

#[test]
fn a_namespace_that_cannot_be_read_keeps_its_waypoint() {
    let mut mesh = Mesh::new();
    mesh.apply(&(namespace("shop", "istio.io/use-waypoint: wp") + &service("")));
    let event = weir_resources::Invalid {
        key: Some(weir_resources::Key::new(Kind::Namespace, "", "shop")),
        meta: Box::new(weir_resources::Meta {
            name: "shop".into(),
            labels: [("istio.io/use-waypoint", "wp")].into_iter().collect(),
            ..Default::default()
        }),
        problem: weir_resources::Problem::new("spec", "is broken"),
        spec: None,
    };
    mesh.index.apply(weir_resources::Event::Invalid(Box::new(event)));
    assert!(mesh.index.commit().addresses.is_empty());
    assert_eq!(of_service(&mesh).as_deref(), Some(WP));
}
