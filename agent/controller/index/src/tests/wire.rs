//! Rows of the rules by which Istio fills its resources, each as it goes over the wire.

use rstest::rstest;
use weir_proto::workload::{AppProtocol, IpFamilies, Service, Workload, address, load_balancing};
use weir_resources::Kind;

use super::{Mesh, changed, message, pod, told};

fn service(mesh: &Mesh, name: &str) -> Service {
    match mesh.message(name).and_then(|address| address.r#type) {
        Some(address::Type::Service(service)) => service,
        other => panic!("{name} is {other:?}"),
    }
}

fn workload(mesh: &Mesh, uid: &str) -> Workload {
    match mesh.message(uid).and_then(|address| address.r#type) {
        Some(address::Type::Workload(workload)) => workload,
        other => panic!("{uid} is {other:?}"),
    }
}

fn web(metadata: &str, spec: &str, status: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop{metadata}}}
spec: {{{spec}}}
status: {{{status}}}
---
"
    )
}

const WEB: &str = "shop/web.shop.svc.cluster.local";

fn ips(service: &Service) -> Vec<String> {
    let text = |bytes: &[u8]| match <[u8; 4]>::try_from(bytes) {
        Ok(v4) => std::net::IpAddr::from(v4).to_string(),
        Err(_) => std::net::IpAddr::from(<[u8; 16]>::try_from(bytes).unwrap()).to_string(),
    };
    service.addresses.iter().map(|address| text(&address.address)).collect()
}

#[rstest]
#[case::dual("clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, 'fd00::1']", "", &["10.96.0.1", "fd00::1"])]
#[case::old("clusterIP: 10.96.0.1", "", &["10.96.0.1"])]
#[case::load_balancer(
    "clusterIP: 10.96.0.1, type: LoadBalancer",
    "loadBalancer: {ingress: [{ip: 198.51.100.1}, {hostname: lb.example.com}, {ip: '2001:db8::1', ipMode: VIP}]}",
    &["10.96.0.1", "198.51.100.1", "2001:db8::1"]
)]
#[case::a_proxy_wants_the_traffic(
    "clusterIP: 10.96.0.1, type: LoadBalancer",
    "loadBalancer: {ingress: [{ip: 198.51.100.1, ipMode: Proxy}]}",
    &["10.96.0.1"]
)]
#[case::written_by_a_bad_controller(
    "clusterIP: 10.96.0.1, type: LoadBalancer",
    "loadBalancer: {ingress: [{ip: 010.1.2.3}, {ip: 198.51.100.1}]}",
    &["10.96.0.1", "198.51.100.1"]
)]
#[case::external("clusterIP: 10.96.0.1, externalIPs: [203.0.113.1, 10.96.0.1]", "", &["10.96.0.1", "203.0.113.1"])]
#[case::headless("clusterIP: None", "", &[])]
#[case::headless_dual("clusterIP: None, clusterIPs: [None], ipFamilies: [IPv4, IPv6]", "", &[])]
#[case::headless_external("clusterIP: None, externalIPs: [203.0.113.1]", "", &[])]
fn addresses_of_a_service(#[case] spec: &str, #[case] status: &str, #[case] expected: &[&str]) {
    let mut mesh = Mesh::new();
    mesh.apply(&web("", &format!("{spec}, ports: [{{port: 80}}]"), status));
    assert_eq!(ips(&service(&mesh, WEB)), expected);
}

#[rstest]
#[case("[IPv4]", IpFamilies::Ipv4Only)]
#[case("[IPv6]", IpFamilies::Ipv6Only)]
#[case("[IPv6, IPv4]", IpFamilies::Dual)]
#[case("[]", IpFamilies::Automatic)]
fn families_of_a_service(#[case] families: &str, #[case] expected: IpFamilies) {
    let mut mesh = Mesh::new();
    mesh.apply(&web("", &format!("clusterIP: None, ipFamilies: {families}"), ""));
    assert_eq!(service(&mesh, WEB).ip_families(), expected);
}

#[rstest]
#[case("http", "", AppProtocol::Http11)]
#[case("http-web", "", AppProtocol::Http11)]
#[case("http2-web", "", AppProtocol::Http2)]
#[case("grpc", "", AppProtocol::Grpc)]
#[case("grpc-web-x", "", AppProtocol::Http11)]
#[case("https-web", "", AppProtocol::Tls)]
#[case("tls-x", "", AppProtocol::Tls)]
#[case("tcp-http", "", AppProtocol::Tcp)]
#[case("web-http", "", AppProtocol::Unknown)]
#[case("", "", AppProtocol::Unknown)]
#[case("http-web", "grpc", AppProtocol::Grpc)]
#[case("tcp", "kubernetes.io/h2c", AppProtocol::Http2)]
#[case("tcp", "kubernetes.io/ws", AppProtocol::Http11)]
#[case("tcp", "kubernetes.io/wss", AppProtocol::Tls)]
#[case("http", "example.com/mine", AppProtocol::Unknown)]
fn protocols_of_ports(#[case] name: &str, #[case] app: &str, #[case] expected: AppProtocol) {
    let mut mesh = Mesh::new();
    let port = format!("{{port: 80, name: '{name}', appProtocol: '{app}'}}");
    mesh.apply(&web("", &format!("clusterIP: 10.96.0.1, ports: [{port}]"), ""));
    assert_eq!(service(&mesh, WEB).ports[0].app_protocol(), expected);
}

/// What the service says itself goes before what its namespace says, also that nothing is preferred.
#[rstest]
#[case::nobody("", "", "", &[])]
#[case::namespace("", "", "PreferClose", &["NETWORK", "REGION", "ZONE"])]
#[case::own_beats_namespace("", "PreferSameNode", "PreferClose", &["NETWORK", "REGION", "ZONE", "SUBZONE", "NODE"])]
#[case::any_beats_namespace("", "Any", "PreferClose", &[])]
#[case::nonsense_leaves_the_namespaces("", "Nearby", "PreferClose", &["NETWORK", "REGION", "ZONE"])]
#[case::spelt_small("", "prefersamezone", "", &["NETWORK", "REGION", "ZONE"])]
#[case::field_beats_all("PreferSameZone", "Any", "PreferSameNode", &["NETWORK", "REGION", "ZONE"])]
fn traffic_distribution(
    #[case] field: &str,
    #[case] own: &str,
    #[case] namespace: &str,
    #[case] expected: &[&str],
) {
    const NAME: &str = "networking.istio.io/traffic-distribution";
    let field = if field.is_empty() { String::new() } else { format!(", trafficDistribution: {field}") };
    let metadata = format!(", annotations: {{{NAME}: '{own}'}}");
    let namespace = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, annotations: {{{NAME}: '{namespace}'}}}}\n---\n"
    );
    let entry = format!(
        "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: web, namespace: shop{metadata}}}
spec: {{hosts: [web.example.com], ports: [{{number: 80, name: http, protocol: HTTP}}], resolution: STATIC}}
---
"
    );
    let mut mesh = Mesh::new();
    mesh.apply(&(web(&metadata, &format!("clusterIP: 10.96.0.1{field}"), "") + &entry + &namespace));
    let scopes = |name: &str| {
        let balancing = service(&mesh, name).load_balancing.unwrap_or_default();
        assert_eq!(
            balancing.mode() == load_balancing::Mode::Failover,
            !balancing.routing_preference.is_empty()
        );
        balancing.routing_preference().map(|scope| scope.as_str_name()).collect::<Vec<_>>()
    };
    assert_eq!(scopes(WEB), expected);
    if field.is_empty() {
        assert_eq!(scopes("shop/web.example.com"), expected, "a service entry has the annotations");
    }
}

#[test]
fn what_is_not_ready_is_published_with_any_preference() {
    let mut mesh = Mesh::new();
    let spec = "clusterIP: 10.96.0.1, publishNotReadyAddresses: true, internalTrafficPolicy: Local, \
                trafficDistribution: PreferClose";
    mesh.apply(&web("", spec, ""));
    let balancing = service(&mesh, WEB).load_balancing.unwrap();
    assert_eq!(balancing.mode(), load_balancing::Mode::Strict, "Local is no preference");
    assert_eq!(balancing.health_policy(), load_balancing::HealthPolicy::AllowAll);
}

#[rstest]
#[case::all("service.istio.io/canonical-name: a, app.kubernetes.io/name: b, app: c", "a", "latest")]
#[case::recommended(
    "app.kubernetes.io/name: b, app: c, app.kubernetes.io/version: '2', version: '1'",
    "b",
    "2"
)]
#[case::app("app: c, version: '1'", "c", "1")]
#[case::pod("tier: x", "p", "latest")]
#[case::empty("app: '', version: ''", "p", "latest")]
#[case::empty_first("service.istio.io/canonical-name: '', app: c", "c", "latest")]
fn canonical_names(#[case] labels: &str, #[case] name: &str, #[case] revision: &str) {
    let mut mesh = Mesh::new();
    mesh.apply(&pod("shop", "p", "10.0.0.1", labels));
    let pod = workload(&mesh, "Kubernetes//Pod/shop/p");
    assert_eq!((&*pod.canonical_name, &*pod.canonical_revision), (name, revision));
    assert_eq!(pod.trust_domain, "", "cluster.local is not written");
    assert_eq!(pod.workload_type().as_str_name(), "POD");
}

/// A network keeps an address to itself for as long as a container that has ended is looked at, and then gives it to
/// another pod.
#[test]
fn an_address_is_used_again() {
    let mut mesh = Mesh::new();
    let names = |mesh: &Mesh| {
        mesh.index.snapshot().names("/10.0.0.1").iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let first = pod("shop", "a", "10.0.0.1", "");
    mesh.apply(&first);
    for end in ["Succeeded", "Failed"] {
        let changes = mesh.apply(&first.replace("phase: Running", &format!("phase: {end}")));
        assert_eq!(changed(&changes), ["-Kubernetes//Pod/shop/a"], "{end}");
        mesh.apply(&pod("other", "b", "10.0.0.1", ""));
        assert_eq!(names(&mesh), ["Kubernetes//Pod/other/b"]);
        // The pod that has ended is written again by somebody, and is still no owner of it.
        mesh.apply(&first.replace("phase: Running", &format!("phase: {end}")).replace("uid-a", "uid-a2"));
        assert_eq!(names(&mesh), ["Kubernetes//Pod/other/b"]);
        mesh.delete(Kind::Pod, "other", "b");
        mesh.apply(&first);
        assert_eq!(names(&mesh), ["Kubernetes//Pod/shop/a"], "the kubelet started it anew");
    }
    mesh.apply(&pod("other", "b", "10.0.0.1", ""));
    assert_eq!(names(&mesh).len(), 2, "for a moment both have it");
    mesh.delete(Kind::Pod, "shop", "a");
    assert_eq!(names(&mesh), ["Kubernetes//Pod/other/b"]);
}

#[test]
fn a_pod_that_is_on_its_way_out_is_there_and_not_healthy() {
    let mut mesh = Mesh::new();
    let yaml = pod("shop", "a", "10.0.0.1", "");
    let leaving = yaml.replace(
        "uid: uid-a",
        "uid: uid-a, deletionTimestamp: '2026-11-21T00:00:00Z'".replace(", ", "\n  ").as_str(),
    );
    mesh.apply(&leaving);
    assert_eq!(workload(&mesh, "Kubernetes//Pod/shop/a").status().as_str_name(), "UNHEALTHY");
}

#[rstest]
#[case::clusters("", "", "west")]
#[case::label(", labels: {topology.istio.io/network: south}", "", "south")]
#[case::field(", labels: {topology.istio.io/network: south}", ", network: east", "east")]
fn the_network_of_a_workload_entry(#[case] metadata: &str, #[case] spec: &str, #[case] expected: &str) {
    let mut mesh = Mesh::new();
    mesh.apply(&format!(
        "
apiVersion: v1
kind: Namespace
metadata: {{name: weir-system, labels: {{topology.istio.io/network: west}}}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: vm, namespace: shop{metadata}}}
spec: {{address: 192.0.2.1{spec}}}
"
    ));
    let uid = "Kubernetes/networking.istio.io/WorkloadEntry/shop/vm";
    assert_eq!(workload(&mesh, uid).network, expected);
    assert_eq!(mesh.index.snapshot().names(&format!("{expected}/192.0.2.1")), [uid.into()]);
}

/// Who lets namespaces in by their labels may use all operators that Kubernetes has for it.
#[rstest]
#[case::one_of("matchExpressions: [{key: team, operator: In, values: [a, b]}]", "team: b", true)]
#[case::none_of_them("matchExpressions: [{key: team, operator: In, values: [a, b]}]", "team: c", false)]
#[case::in_and_absent("matchExpressions: [{key: team, operator: In, values: [a]}]", "", false)]
#[case::not_in("matchExpressions: [{key: team, operator: NotIn, values: [a]}]", "team: b", true)]
#[case::not_in_and_absent("matchExpressions: [{key: team, operator: NotIn, values: [a]}]", "", true)]
#[case::in_it("matchExpressions: [{key: team, operator: NotIn, values: [a]}]", "team: a", false)]
#[case::there("matchExpressions: [{key: team, operator: Exists}]", "team: ''", true)]
#[case::not_there("matchExpressions: [{key: team, operator: Exists}]", "", false)]
#[case::absent("matchExpressions: [{key: team, operator: DoesNotExist}]", "", true)]
#[case::not_absent("matchExpressions: [{key: team, operator: DoesNotExist}]", "team: a", false)]
#[case::both("matchLabels: {env: x}, matchExpressions: [{key: team, operator: Exists}]", "team: a", false)]
#[case::name(
    "matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [shop]}]",
    "",
    true
)]
#[case::nonsense("matchExpressions: [{key: team, operator: Near, values: [a]}]", "team: a", false)]
#[case::all("", "", true)]
fn namespaces_that_a_waypoint_lets_in(#[case] selector: &str, #[case] labels: &str, #[case] expected: bool) {
    let mut mesh = Mesh::new();
    let gateway = format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: wp, namespace: infra}}
spec:
  gatewayClassName: weir-waypoint
  listeners:
  - {{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {{namespaces: {{from: Selector, selector: {{{selector}}}}}}}}}
status: {{addresses: [{{type: Hostname, value: wp.infra.svc.cluster.local}}]}}
---
"
    );
    let namespace = |labels: &str| {
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, labels: {{{labels}}}}}\n---\n")
    };
    let asks = ", labels: {istio.io/use-waypoint: wp, istio.io/use-waypoint-namespace: infra}";
    mesh.apply(&(namespace("") + &gateway + &web(asks, "clusterIP: 10.96.0.1", "")));
    // The labels change last, as somebody who lets a namespace in would do it.
    mesh.apply(&namespace(labels));
    let waypoint = mesh.service(WEB).unwrap().waypoint.unwrap();
    let refused = format!("{waypoint:?}").contains("attachment-denied");
    assert_eq!(!refused, expected, "{waypoint:?}");
}

/// A class has a controller of its own, which writes its Gateways' statuses; and of what it writes we read what we can.
#[test]
fn a_gateway_of_somebody_elses_is_told_nothing() {
    let mut mesh = Mesh::new();
    let gateway = |class: &str| {
        format!(
            "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: wp, namespace: shop}}
spec:
  gatewayClassName: {class}
  listeners: [{{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {{namespaces: 7}}}}]
---
"
        )
    };
    assert!(mesh.apply(&gateway("nginx")).statuses.is_empty());
    assert!(mesh.index.statuses().is_empty());
    let changes = mesh.apply(&gateway("weir-waypoint"));
    let conditions = ["Accepted=False/Invalid", "Programmed=False/Invalid", "ResolvedRefs=True/ResolvedRefs"];
    assert_eq!(told(&changes, Kind::Gateway, "wp"), conditions);
    assert!(message(&changes, "wp", "Accepted").contains("spec.listeners[0].allowedRoutes"), "{changes:?}");
    // It is there, so nobody is told that it does not exist; and it takes nobody's traffic.
    let changes = mesh.apply(&web(", labels: {istio.io/use-waypoint: wp}", "clusterIP: 10.96.0.1", ""));
    assert!(message(&changes, "web", "istio.io/WaypointBound").contains("refused meanwhile"));
    assert_eq!(mesh.service(WEB).unwrap().waypoint.map(|w| w.hbone_mtls_port), Some(15008));
}

#[test]
fn an_address_of_a_gateway_that_is_none_is_passed_over() {
    let mut mesh = Mesh::new();
    mesh.apply(&web(", labels: {istio.io/use-waypoint: wp}", "clusterIP: 10.96.0.1", ""));
    mesh.apply(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: wp, namespace: shop}
spec: {gatewayClassName: other, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
status: {addresses: [{type: IPAddress, value: pending}, {type: IPAddress, value: 10.96.9.9}]}
",
    );
    let waypoint = mesh.service(WEB).unwrap().waypoint.unwrap();
    assert!(format!("{waypoint:?}").contains("10.96.9.9"), "{waypoint:?}");
}

#[test]
fn a_race_of_connections_needs_a_waypoint() {
    let mut mesh = Mesh::new();
    let entry = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ext, namespace: shop, annotations: {istio.io/connect-strategy: RACE_FIRST_TCP_CONNECT}}
spec: {hosts: [ext.example.com], ports: [{number: 443, name: tls, protocol: TLS}], resolution: DNS}
";
    let missing = "istio.io/WaypointMissing=True/NoWaypointForRacingConnectStrategy".to_owned();
    assert!(told(&mesh.apply(entry), Kind::ServiceEntry, "ext").contains(&missing));
    let plain = entry.replace("RACE_FIRST_TCP_CONNECT", "DEFAULT");
    assert!(!told(&mesh.apply(&plain), Kind::ServiceEntry, "ext").contains(&missing));
}
