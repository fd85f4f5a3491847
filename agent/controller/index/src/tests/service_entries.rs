//! Service entries.

use rstest::rstest;
use weir_model::{HealthPolicy, LoadBalancingMode, TunnelProtocol, Visibility};
use weir_resources::Kind;

use super::{Mesh, changed, message, pod, told};

fn entry(spec: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: ext, namespace: shop, generation: 3}}
spec: {{hosts: [ext.example.com], ports: [{{number: 443, name: tls, protocol: TLS, targetPort: 8443}}], {spec}}}
---
"
    )
}

const EXT: &str = "shop/ext.example.com";
const ENDPOINT: &str = "Kubernetes/networking.istio.io/ServiceEntry/shop/ext";

#[test]
fn endpoints_written_in_the_entry() {
    let mut mesh = Mesh::new();
    let changes = mesh.apply(&entry(
        "resolution: STATIC, addresses: [10.1.0.0/16, 10.2.0.1], endpoints: [\
         {address: 192.0.2.1, ports: {tls: 9443}, locality: r/z/s, weight: 3, labels: {app: x}, serviceAccount: ext},\
         {address: '2001:db8::1'}]",
    ));
    let service = mesh.service(EXT).unwrap();
    assert_eq!((service.vips.len(), service.cidr_vips.len()), (1, 1));
    assert_eq!((service.ports[0].service_port, service.ports[0].target_port), (443, 8443));
    assert!(service.canonical);
    let first = mesh.workload(&format!("{ENDPOINT}/192.0.2.1")).unwrap();
    assert_eq!((first.capacity, &*first.service_account, &*first.locality.subzone), (3, "ext", "s"));
    assert_eq!(first.tunnel_protocol, TunnelProtocol::None);
    let targets = |uid: &str| {
        let workload = mesh.workload(uid).unwrap();
        workload.services.values().flatten().map(|port| port.target_port).collect::<Vec<_>>()
    };
    assert_eq!(targets(&format!("{ENDPOINT}/192.0.2.1")), [9443], "the endpoint's own number");
    assert_eq!(targets(&format!("{ENDPOINT}/2001:db8::1")), [8443]);
    assert_eq!(
        told(&changes, Kind::ServiceEntry, "ext"),
        ["Accepted=True/Accepted", "Programmed=True/Programmed"]
    );
    assert_eq!(changes.statuses[0].generation, 3);
    let changes =
        mesh.apply(&entry("resolution: STATIC, addresses: [10.2.0.1], endpoints: [{address: 192.0.2.1}]"));
    assert_eq!(
        changed(&changes),
        [format!("{ENDPOINT}/192.0.2.1"), format!("-{ENDPOINT}/2001:db8::1"), EXT.to_owned()]
    );
    assert_eq!(mesh.delete(Kind::ServiceEntry, "shop", "ext").addresses.len(), 2);
    assert!(mesh.names().is_empty());
}

#[test]
fn a_name_to_resolve_is_its_own_endpoint() {
    let mut mesh = Mesh::new();
    mesh.apply(&entry("resolution: DNS").replace("[ext.example.com]", "[ext.example.com, b.example.com]"));
    let workload = mesh.workload(&format!("{ENDPOINT}/b.example.com")).unwrap();
    assert_eq!(&*workload.hostname, "b.example.com");
    assert!(workload.addresses.is_empty());
    let keys: Vec<_> = workload.services.keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["shop/b.example.com"], "and not that of the other host");
}

#[test]
fn what_is_dialled_is_the_destination() {
    let mut mesh = Mesh::new();
    mesh.apply(&entry("resolution: NONE"));
    let service = mesh.service(EXT).unwrap();
    assert_eq!(service.load_balancing.mode, LoadBalancingMode::Passthrough);
    assert_eq!(service.load_balancing.health_policy, HealthPolicy::AllowAll);
    assert!(service.vips.is_empty(), "and no address is made up");
}

#[test]
fn a_selector_chooses_pods_and_workload_entries() {
    let mut mesh = Mesh::new();
    mesh.apply(&pod("shop", "a", "10.0.0.1", "app: x"));
    mesh.apply(
        "
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm, namespace: shop}
spec: {address: 192.0.2.7, labels: {app: x}, ports: {tls: 1443}}
",
    );
    mesh.apply(&entry("resolution: STATIC, workloadSelector: {labels: {app: x}}"));
    assert_eq!(mesh.index.snapshot().members(EXT).count(), 2);
    let vm = mesh.workload("Kubernetes/networking.istio.io/WorkloadEntry/shop/vm").unwrap();
    assert_eq!(vm.services.values().next().unwrap()[0].target_port, 1443);
    mesh.apply(&entry("resolution: STATIC, workloadSelector: {labels: {app: y}}"));
    assert_eq!(mesh.index.snapshot().members(EXT).count(), 0);
}

#[rstest]
#[case::everybody("'*'", Some(Visibility::Public), "Programmed=True/Programmed")]
#[case::own("'.'", Some(Visibility::Namespace), "Programmed=True/Programmed")]
#[case::own_by_name("shop", Some(Visibility::Namespace), "Programmed=True/Programmed")]
#[case::others("'.', infra", Some(Visibility::Namespace), "Programmed=True/VisibilityNarrowed")]
#[case::nobody("'~'", None, "Programmed=False/NotExported")]
fn who_sees_it(#[case] to: &str, #[case] expected: Option<Visibility>, #[case] condition: &str) {
    let mut mesh = Mesh::new();
    let changes = mesh.apply(&entry(&format!("resolution: DNS, exportTo: [{to}]")));
    assert_eq!(mesh.service(EXT).map(|service| service.visibility), expected);
    assert_eq!(mesh.names().is_empty(), expected.is_none());
    assert_eq!(told(&changes, Kind::ServiceEntry, "ext")[1], condition);
}

#[test]
fn an_entry_of_one_namespace_does_not_use_anothers_waypoint() {
    let mut mesh = Mesh::new();
    let labels = "labels: {istio.io/use-waypoint: wp, istio.io/use-waypoint-namespace: infra}, ";
    mesh.apply(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: wp, namespace: infra}
spec:
  gatewayClassName: weir-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: All}}}]
status: {addresses: [{type: Hostname, value: wp.infra.svc.cluster.local}]}
",
    );
    let yaml =
        entry("resolution: DNS, exportTo: ['.']").replace("metadata: {", &format!("metadata: {{{labels}"));
    let changes = mesh.apply(&yaml);
    assert_eq!(
        told(&changes, Kind::ServiceEntry, "ext")[2],
        "istio.io/WaypointBound=False/CrossNamespaceWaypointForbidden"
    );
}

#[rstest]
#[case::socket("[{address: 'unix:///run/x'}]", "unix:///run/x")]
#[case::twice("[{address: 192.0.2.1}, {address: 192.0.2.1}]", "spec.endpoints[1]")]
fn an_endpoint_that_is_left_out_is_named(#[case] endpoints: &str, #[case] says: &str) {
    let mut mesh = Mesh::new();
    let changes = mesh.apply(&entry(&format!("resolution: STATIC, endpoints: {endpoints}")));
    if !told(&changes, Kind::ServiceEntry, "ext")[0].ends_with("/Invalid") {
        assert_eq!(told(&changes, Kind::ServiceEntry, "ext")[0], "Accepted=False/UnsupportedValue");
    }
    assert!(message(&changes, "ext", "Accepted").contains(says), "{}", message(&changes, "ext", "Accepted"));
}

#[test]
fn an_entry_that_cannot_be_read_is_gone_and_told_why() {
    let mut mesh = Mesh::new();
    mesh.apply(&entry("resolution: DNS"));
    let changes = mesh.apply(&entry("resolution: SOMETIMES"));
    assert!(mesh.names().is_empty());
    assert_eq!(
        told(&changes, Kind::ServiceEntry, "ext"),
        ["Accepted=False/Invalid", "Programmed=False/Invalid"]
    );
    let changes = mesh.apply(&entry("resolution: DNS"));
    assert_eq!(told(&changes, Kind::ServiceEntry, "ext")[0], "Accepted=True/Accepted");
    assert_eq!(mesh.names().len(), 2);
}

#[test]
fn a_wildcard_needs_a_waypoint_to_be_resolved() {
    let mut mesh = Mesh::new();
    let yaml = entry("resolution: DYNAMIC_DNS").replace("[ext.example.com]", "['*.example.com']");
    let changes = mesh.apply(&yaml);
    assert!(
        told(&changes, Kind::ServiceEntry, "ext")
            .contains(&"istio.io/WaypointMissing=True/NoWaypointForWildcardService".to_owned())
    );
}
