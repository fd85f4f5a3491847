//! Endpoint slices: what selectors do not find.

use weir_model::{Health, NetworkMode};
use weir_resources::Kind;

use super::{Mesh, changed, pod};

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: 10.96.0.1, ports: [{name: sql, port: 5432}]}
---
";

fn slice(labels: &str, endpoints: &str) -> String {
    format!(
        "
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: db-1, namespace: shop, labels: {{kubernetes.io/service-name: db{labels}}}}}
addressType: IPv4
ports: [{{name: sql, port: 6432}}]
endpoints: {endpoints}
---
"
    )
}

const UID: &str = "Kubernetes/discovery.k8s.io/EndpointSlice/shop/db-1";
const DB: &str = "shop/db.shop.svc.cluster.local";

#[test]
fn an_address_outside_is_a_workload_of_its_service() {
    let mut mesh = Mesh::new();
    mesh.apply(&slice(
        "",
        "[{addresses: [192.0.2.1], zone: z}, {addresses: [192.0.2.2], conditions: {ready: false}}]",
    ));
    assert!(mesh.names().is_empty(), "a slice of no service");
    mesh.apply(SERVICE);
    let first = mesh.workload(&format!("{UID}/192.0.2.1")).unwrap();
    assert_eq!((first.network_mode, first.status), (NetworkMode::HostNetwork, Health::Healthy));
    assert_eq!((&*first.locality.zone, first.services.values().next().unwrap()[0].target_port), ("z", 6432));
    assert_eq!(mesh.workload(&format!("{UID}/192.0.2.2")).unwrap().status, Health::Unhealthy);
    let changes = mesh.apply(&slice("", "[{addresses: [192.0.2.1], zone: z}]"));
    assert_eq!(changed(&changes), [format!("-{UID}/192.0.2.2")]);
    assert_eq!(mesh.index.snapshot().members(DB).count(), 1);
    mesh.delete(Kind::Service, "shop", "db");
    assert!(mesh.names().is_empty());
    mesh.apply(SERVICE);
    mesh.delete(Kind::EndpointSlice, "shop", "db-1");
    assert_eq!(mesh.names(), [DB]);
}

#[test]
fn a_pod_that_a_slice_names_serves_a_service_without_a_selector() {
    let by_hand = slice("", "[{addresses: [10.0.0.1], targetRef: {kind: Pod, name: a, namespace: shop}}]");
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let texts = [SERVICE.to_owned(), by_hand.clone(), pod("shop", "a", "10.0.0.1", "")];
        let mut mesh = Mesh::new();
        for text in order {
            mesh.apply(&texts[text]);
        }
        let services = mesh.pod("shop/a").unwrap().services;
        assert_eq!(services.values().next().unwrap()[0].target_port, 6432);
        assert_eq!(mesh.names().len(), 2, "and the address is not a workload of its own");
        mesh.delete(Kind::EndpointSlice, "shop", "db-1");
        assert!(mesh.pod("shop/a").unwrap().services.is_empty());
    }
}

#[test]
fn what_kubernetes_made_of_a_selector_is_not_read_twice() {
    let mut mesh = Mesh::new();
    mesh.apply(
        &(SERVICE.replace("spec: {", "spec: {selector: {app: db}, ")
            + &pod("shop", "a", "10.0.0.1", "app: db")),
    );
    let made = slice(
        ", endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io",
        "[{addresses: [10.0.0.1], targetRef: {kind: Pod, name: a, namespace: shop}}]",
    );
    assert!(mesh.apply(&made).addresses.is_empty());
}
