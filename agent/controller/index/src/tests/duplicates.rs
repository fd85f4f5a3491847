//! Several objects that say that they are one service.

use weir_resources::Kind;

use super::{Mesh, changed, message, pod, told};

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{port: 80}]}
---
";

const HOST: &str = "web.shop.svc.cluster.local";

fn entry(namespace: &str, name: &str, host: &str, year: u16) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: '{year}-01-01T00:00:00Z'}}
spec:
  hosts: [{host}]
  addresses: [10.9.0.1]
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 8080}}]
  resolution: STATIC
  workloadSelector: {{labels: {{app: web}}}}
---
"
    )
}

fn owner(mesh: &Mesh, name: &str) -> String {
    mesh.service(name).unwrap().name.to_string()
}

#[test]
fn kubernetes_own_service_goes_first() {
    let name = format!("shop/{HOST}");
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let texts =
            [SERVICE.to_owned(), entry("shop", "mine", HOST, 2000), pod("shop", "a", "10.0.0.1", "app: web")];
        let mut mesh = Mesh::new();
        let mut changes = crate::Changes::default();
        for text in order {
            changes.statuses.extend(mesh.apply(&texts[text]).statuses);
        }
        assert_eq!(owner(&mesh, &name), "web");
        let target =
            |mesh: &Mesh| mesh.pod("shop/a").unwrap().services.values().next().unwrap()[0].target_port;
        assert_eq!(target(&mesh), 80, "and the pod serves it only");
        let status = mesh.index.statuses();
        assert_eq!(status[0].conditions[0].reason, "Conflict");
        let changes = mesh.delete(Kind::Service, "shop", "web");
        assert_eq!(owner(&mesh, &name), "mine");
        assert_eq!(target(&mesh), 8080);
        assert_eq!(told(&changes, Kind::ServiceEntry, "mine")[0], "Accepted=True/Accepted");
    }
}

#[test]
fn the_oldest_entry_goes_first() {
    let mut mesh = Mesh::new();
    mesh.apply(&entry("shop", "young", "x.example.com", 2020));
    let changes = mesh.apply(&entry("shop", "old", "x.example.com", 2010));
    assert_eq!(owner(&mesh, "shop/x.example.com"), "old");
    assert_eq!(told(&changes, Kind::ServiceEntry, "young")[0], "Accepted=False/Conflict");
    assert!(message(&changes, "young", "Accepted").contains("ServiceEntry shop/old"));
    let unsaid = entry("shop", "unsaid", "x.example.com", 2000)
        .replace(", creationTimestamp: '2000-01-01T00:00:00Z'", "");
    mesh.apply(&unsaid);
    assert_eq!(owner(&mesh, "shop/x.example.com"), "old", "younger than all that say when");
    mesh.delete(Kind::ServiceEntry, "shop", "old");
    assert_eq!(owner(&mesh, "shop/x.example.com"), "young");
}

#[test]
fn one_of_a_host_name_is_canonical() {
    let mut mesh = Mesh::new();
    mesh.apply(&entry("b", "e", "x.example.com", 2010));
    mesh.apply(&entry("c", "e", "x.example.com", 2020));
    let canonical = |mesh: &Mesh, name: &str| mesh.service(name).unwrap().canonical;
    assert!(canonical(&mesh, "b/x.example.com") && !canonical(&mesh, "c/x.example.com"));
    let private =
        entry("a", "e", "x.example.com", 2000).replace("resolution", "exportTo: ['.']\n  resolution");
    assert!(changed(&mesh.apply(&private)).contains(&"a/x.example.com".to_owned()));
    assert!(
        !canonical(&mesh, "a/x.example.com") && canonical(&mesh, "b/x.example.com"),
        "others do not see it"
    );
    let changes = mesh.delete(Kind::ServiceEntry, "b", "e");
    assert_eq!(changed(&changes), ["-b/x.example.com", "c/x.example.com"]);
    assert!(canonical(&mesh, "c/x.example.com"));

    mesh.apply(&entry("c", "k", HOST, 2000));
    assert!(canonical(&mesh, &format!("c/{HOST}")));
    mesh.apply(SERVICE);
    assert!(!canonical(&mesh, &format!("c/{HOST}")), "Kubernetes has a service of this name");
    assert!(canonical(&mesh, &format!("shop/{HOST}")));
}
