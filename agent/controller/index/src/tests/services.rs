//! Kubernetes services.

use rstest::rstest;
use weir_model::{HealthPolicy, LoadBalancingMode, Scope};
use weir_resources::Kind;

use super::{Mesh, changed, pod};

const WEB: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIPs: [10.96.0.1, 'fd00::1']
  ipFamilies: [IPv4, IPv6]
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: admin, port: 81, targetPort: admin}
  - {name: dns, port: 53, protocol: UDP}
";

const NAME: &str = "shop/web.shop.svc.cluster.local";

#[test]
fn a_service_and_its_endpoints() {
    let mut mesh = Mesh::new();
    mesh.apply(&pod("shop", "a", "10.0.0.1", "app: web"));
    mesh.apply(&pod("other", "b", "10.0.0.2", "app: web"));
    let changes = mesh.apply(WEB);
    assert_eq!(
        changed(&changes),
        ["Kubernetes//Pod/shop/a", NAME],
        "the pod of the other namespace is not its"
    );

    let web = mesh.service(NAME).unwrap();
    assert_eq!(web.vips.len(), 2);
    assert!(web.canonical);
    let ports: Vec<_> = web.ports.iter().map(|port| (port.service_port, port.target_port)).collect();
    assert_eq!(ports, [(80, 8080), (81, 0)], "a named port is each endpoint's own");
    let services = mesh.pod("shop/a").unwrap().services;
    let (key, ports) = services.first_key_value().unwrap();
    assert_eq!(key.to_string(), NAME);
    assert_eq!(ports.len(), 1, "no container of the pod has a port named admin");
    let snapshot = mesh.index.snapshot();
    assert_eq!(snapshot.members(NAME).count(), 1);
    assert_eq!(snapshot.names("/10.96.0.1"), [NAME.into()]);

    assert_eq!(
        changed(&mesh.delete(Kind::Service, "shop", "web")),
        ["Kubernetes//Pod/shop/a".to_owned(), format!("-{NAME}")]
    );
    assert!(mesh.pod("shop/a").unwrap().services.is_empty());
    assert_eq!(mesh.index.snapshot().members(NAME).count(), 0);
}

#[test]
fn labels_and_selectors_change() {
    let mut mesh = Mesh::new();
    mesh.apply(WEB);
    let serves = |mesh: &Mesh| !mesh.pod("shop/a").unwrap().services.is_empty();
    mesh.apply(&pod("shop", "a", "10.0.0.1", "app: db"));
    assert!(!serves(&mesh));
    mesh.apply(&pod("shop", "a", "10.0.0.1", "app: web"));
    assert!(serves(&mesh));
    let changes = mesh.apply(&WEB.replace("{app: web}", "{app: web, tier: front}"));
    assert_eq!(changed(&changes), ["Kubernetes//Pod/shop/a"], "what a service selects is in its endpoints");
    assert!(!serves(&mesh));
    mesh.apply(&pod("shop", "a", "10.0.0.1", "app: web, tier: front"));
    assert!(serves(&mesh));
}

#[test]
fn a_named_target_port_is_the_containers() {
    let mut mesh = Mesh::new();
    mesh.apply(WEB);
    mesh.apply(
        "
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c, ports: [{name: admin, containerPort: 9901}]}]}
status: {phase: Running, podIP: 10.0.0.1}
",
    );
    let services = mesh.pod("shop/a").unwrap().services;
    let ports: Vec<_> =
        services.values().flatten().map(|port| (port.service_port, port.target_port)).collect();
    assert_eq!(ports, [(80, 8080), (81, 9901)]);
}

#[test]
fn no_address_and_no_service() {
    let mut mesh = Mesh::new();
    mesh.apply(&WEB.replace("clusterIPs: [10.96.0.1, 'fd00::1']", "clusterIP: None"));
    assert!(mesh.service(NAME).unwrap().vips.is_empty(), "headless");
    let external = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: ExternalName, externalName: example.com}
";
    assert_eq!(changed(&mesh.apply(external)), [format!("-{NAME}")]);
}

#[rstest]
#[case::plain("", "", LoadBalancingMode::Unspecified, &[], HealthPolicy::OnlyHealthy)]
#[case::local("internalTrafficPolicy: Local", "", LoadBalancingMode::Strict, &[Scope::Node], HealthPolicy::OnlyHealthy)]
#[case::close(
    "trafficDistribution: PreferClose", "PreferSameNode", LoadBalancingMode::Failover,
    &[Scope::Network, Scope::Region, Scope::Zone], HealthPolicy::OnlyHealthy
)]
#[case::annotated(
    "", "PreferSameZone", LoadBalancingMode::Failover,
    &[Scope::Network, Scope::Region, Scope::Zone], HealthPolicy::OnlyHealthy
)]
#[case::node(
    "trafficDistribution: PreferSameNode", "", LoadBalancingMode::Failover,
    &[Scope::Network, Scope::Region, Scope::Zone, Scope::Subzone, Scope::Node], HealthPolicy::OnlyHealthy
)]
#[case::not_ready("publishNotReadyAddresses: true", "", LoadBalancingMode::Unspecified, &[], HealthPolicy::AllowAll)]
fn how_endpoints_are_chosen(
    #[case] spec: &str,
    #[case] annotation: &str,
    #[case] mode: LoadBalancingMode,
    #[case] scopes: &[Scope],
    #[case] health: HealthPolicy,
) {
    let mut mesh = Mesh::new();
    mesh.apply(&format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop, annotations: {{networking.istio.io/traffic-distribution: '{annotation}'}}}}
spec: {{clusterIP: 10.96.0.1, ports: [{{port: 80}}], {spec}}}
"
    ));
    let balancing = mesh.service(NAME).unwrap().load_balancing;
    assert_eq!((balancing.mode, balancing.health_policy), (mode, health));
    assert_eq!(balancing.routing_preference, scopes);
}

#[test]
fn the_namespaces_traffic_distribution_is_inherited() {
    let mut mesh = Mesh::new();
    mesh.apply(WEB);
    let namespace = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, annotations: {networking.istio.io/traffic-distribution: PreferClose}}
";
    assert_eq!(changed(&mesh.apply(namespace)), [NAME]);
    assert_eq!(mesh.service(NAME).unwrap().load_balancing.mode, LoadBalancingMode::Failover);
}
