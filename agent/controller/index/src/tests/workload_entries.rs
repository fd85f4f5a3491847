//! Workload entries.

use weir_model::{Health, TunnelProtocol};
use weir_resources::Kind;

use super::{Mesh, changed, told};

fn entry(metadata: &str, spec: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: vm, namespace: shop{metadata}}}
spec: {{{spec}}}
---
"
    )
}

const UID: &str = "Kubernetes/networking.istio.io/WorkloadEntry/shop/vm";

#[test]
fn an_entry_is_a_workload() {
    let mut mesh = Mesh::new();
    let yaml = entry(
        ", labels: {team: a}",
        "address: 192.0.2.1, labels: {app: vm}, network: east, locality: r/z, weight: 2, serviceAccount: vm",
    );
    let changes = mesh.apply(&yaml);
    assert_eq!(changed(&changes), [UID]);
    assert_eq!(
        told(&changes, Kind::WorkloadEntry, "vm"),
        ["Accepted=True/Accepted", "Programmed=True/Programmed"]
    );
    let vm = mesh.workload(UID).unwrap();
    assert_eq!((&*vm.network, &*vm.canonical_name, &*vm.service_account), ("east", "vm", "vm"));
    assert_eq!((vm.capacity, &*vm.locality.zone, vm.status), (2, "z", Health::Healthy));
    assert_eq!(vm.tunnel_protocol, TunnelProtocol::None);
    assert_eq!(mesh.index.snapshot().names("east/192.0.2.1"), [UID.into()]);
    assert_eq!(changed(&mesh.delete(Kind::WorkloadEntry, "shop", "vm")), [format!("-{UID}")]);
}

#[test]
fn a_service_selects_by_labels_of_both_kinds_and_takes_the_entrys_ports() {
    let mut mesh = Mesh::new();
    mesh.apply(
        "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.96.0.1
  selector: {app: vm, team: a}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  - {name: admin, port: 81, targetPort: admin-port}
  - {name: other, port: 82, targetPort: nobody}
",
    );
    mesh.apply(&entry(
        ", labels: {team: a}",
        "address: 192.0.2.1, labels: {app: vm}, ports: {http: 90, admin-port: 91}",
    ));
    let services = mesh.workload(UID).unwrap().services;
    let ports: Vec<_> =
        services.values().flatten().map(|port| (port.service_port, port.target_port)).collect();
    assert_eq!(ports, [(80, 90), (81, 91)]);
}

#[test]
fn a_name_is_resolved_by_the_node() {
    let mut mesh = Mesh::new();
    mesh.apply(&entry("", "address: vm.example.com"));
    let vm = mesh.workload(UID).unwrap();
    assert_eq!(&*vm.hostname, "vm.example.com");
    assert!(vm.addresses.is_empty());
}

#[test]
fn an_entry_that_speaks_hbone_itself() {
    let mut mesh = Mesh::new();
    mesh.apply(&entry(", labels: {networking.istio.io/tunnel: http}", "address: 192.0.2.1"));
    let vm = mesh.workload(UID).unwrap();
    assert_eq!((vm.tunnel_protocol, vm.native_tunnel), (TunnelProtocol::Hbone, true));
}

#[test]
fn an_unhealthy_entry_is_no_endpoint() {
    let mut mesh = Mesh::new();
    let yaml = entry("", "address: 192.0.2.1")
        .replace("---", "status: {conditions: [{type: Healthy, status: 'False'}]}");
    mesh.apply(&yaml);
    assert_eq!(mesh.workload(UID).unwrap().status, Health::Unhealthy);
}
