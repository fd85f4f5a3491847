//! Pods.

use rstest::rstest;
use weir_model::{Health, NetworkMode, TunnelProtocol};
use weir_resources::Kind;

use super::{Mesh, changed, pod};

#[test]
fn a_pod_is_a_workload() {
    let mut mesh = Mesh::new();
    mesh.apply(
        "
apiVersion: v1
kind: Node
metadata:
  name: n1
  labels: {topology.kubernetes.io/region: r, topology.kubernetes.io/zone: z, topology.istio.io/subzone: s}
",
    );
    let changes = mesh.apply(&pod("shop", "web-0", "10.0.0.1", "app: web, version: v2"));
    assert_eq!(changed(&changes), ["Kubernetes//Pod/shop/web-0"]);
    let web = mesh.pod("shop/web-0").unwrap();
    assert_eq!(web.addresses, ["10.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(web.tunnel_protocol, TunnelProtocol::Hbone);
    assert_eq!((&*web.node, &*web.service_account), ("n1", "web-0"));
    assert_eq!((&*web.canonical_name, &*web.canonical_revision), ("web", "v2"));
    assert_eq!(
        (&*web.locality.region, &*web.locality.zone, &*web.locality.subzone),
        ("r", "z", "s"),
        "where the node is"
    );
    assert_eq!(web.status, Health::Healthy);
    let snapshot = mesh.index.snapshot();
    assert_eq!(snapshot.names("/10.0.0.1"), ["Kubernetes//Pod/shop/web-0".into()]);
    assert_eq!(snapshot.on_node("n1").count(), 1);
    assert_eq!(&*snapshot.pod("shop", "web-0").unwrap().uid, "uid-web-0");
    assert!(snapshot.runs("n1", "shop", "web-0") && snapshot.has_node("n1"));

    assert_eq!(changed(&mesh.delete(Kind::Pod, "shop", "web-0")), ["-Kubernetes//Pod/shop/web-0"]);
    let snapshot = mesh.index.snapshot();
    assert!(snapshot.names("/10.0.0.1").is_empty() && snapshot.on_node("n1").next().is_none());
    assert!(snapshot.pod("shop", "web-0").is_none() && !snapshot.runs("n1", "shop", "web-0"));
}

#[rstest]
#[case::captured(
    "metadata: {annotations: {ambient.istio.io/redirection: enabled}}",
    TunnelProtocol::Hbone,
    false
)]
#[case::half_captured(
    "metadata: {annotations: {ambient.istio.io/redirection: pending}}",
    TunnelProtocol::None,
    false
)]
#[case::only_asked_for("metadata: {labels: {istio.io/dataplane-mode: ambient}}", TunnelProtocol::None, false)]
#[case::native("metadata: {labels: {networking.istio.io/tunnel: http}}", TunnelProtocol::Hbone, true)]
#[case::outside("metadata: {}", TunnelProtocol::None, false)]
fn the_tunnel_is_what_the_node_did(
    #[case] metadata: &str,
    #[case] tunnel: TunnelProtocol,
    #[case] native: bool,
) {
    let mut mesh = Mesh::new();
    let metadata = metadata.replace("metadata: {", "metadata: {name: a, namespace: shop, ");
    mesh.apply(&format!(
        "apiVersion: v1\nkind: Pod\n{metadata}\nstatus: {{phase: Running, podIP: 10.0.0.1}}"
    ));
    let workload = mesh.pod("shop/a").unwrap();
    assert_eq!((workload.tunnel_protocol, workload.native_tunnel), (tunnel, native));
}

#[rstest]
#[case::not_ready("phase: Running, podIP: 10.0.0.1", Some(Health::Unhealthy))]
#[case::ready(
    "phase: Running, podIP: 10.0.0.1, conditions: [{type: Ready, status: 'True'}]",
    Some(Health::Healthy)
)]
#[case::pending_with_address("phase: Pending, podIP: 10.0.0.1", Some(Health::Unhealthy))]
#[case::no_address("phase: Running", None)]
#[case::done("phase: Succeeded, podIP: 10.0.0.1", None)]
#[case::failed("phase: Failed, podIP: 10.0.0.1", None)]
fn health_is_readiness(#[case] status: &str, #[case] expected: Option<Health>) {
    let mut mesh = Mesh::new();
    mesh.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: a, namespace: shop}}\nspec: {{nodeName: n1}}\nstatus: {{{status}}}"
    ));
    assert_eq!(mesh.pod("shop/a").map(|workload| workload.status), expected);
    let may_prove = !status.contains("Failed");
    assert_eq!(mesh.index.snapshot().runs("n1", "shop", "default"), may_prove);
}

#[test]
fn a_pod_of_the_hosts_network_is_not_found_by_address() {
    let mut mesh = Mesh::new();
    mesh.apply(
        "
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: shop, annotations: {ambient.istio.io/redirection: enabled}}
spec: {hostNetwork: true, nodeName: n1}
status: {phase: Running, podIP: 192.168.0.1}
",
    );
    let workload = mesh.pod("shop/a").unwrap();
    assert_eq!(workload.network_mode, NetworkMode::HostNetwork);
    assert_eq!(workload.tunnel_protocol, TunnelProtocol::None, "there is no pod to capture");
    assert!(mesh.index.snapshot().names("/192.168.0.1").is_empty());
}

#[test]
fn a_node_that_moves_takes_its_pods_along() {
    let node = |zone: &str| {
        format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: n1, labels: {{topology.kubernetes.io/zone: {zone}}}}}"
        )
    };
    let mut mesh = Mesh::new();
    mesh.apply(&pod("shop", "a", "10.0.0.1", ""));
    assert_eq!(mesh.apply(&node("z1")).addresses.len(), 1);
    assert!(mesh.apply(&node("z1")).addresses.is_empty());
    assert_eq!(mesh.apply(&node("z2")).addresses.len(), 1);
    assert_eq!(&*mesh.pod("shop/a").unwrap().locality.zone, "z2");
}

#[test]
fn a_network_is_the_root_namespaces_label() {
    let mut mesh = Mesh::new();
    mesh.apply(&pod("shop", "a", "10.0.0.1", ""));
    let root = "apiVersion: v1\nkind: Namespace\nmetadata: {name: weir-system, labels: {topology.istio.io/network: east}}";
    assert_eq!(mesh.apply(root).addresses.len(), 1);
    assert_eq!(&*mesh.pod("shop/a").unwrap().network, "east");
    assert_eq!(mesh.index.snapshot().names("east/10.0.0.1").len(), 1);
    assert!(mesh.index.snapshot().names("/10.0.0.1").is_empty());
}
