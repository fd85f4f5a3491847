//! Routes of the Gateway API.

use weir_resources::Kind;

use super::{DB, WEB, mesh, shares};

const ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{group: '', kind: Service, name: web}]
  rules: [{backendRefs: [{name: db, namespace: bank, port: 80}]}]
---
";

const GRANT: &str = "
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: shop, namespace: bank}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]
  to: [{group: '', kind: Service}]
---
";

#[test]
fn another_namespaces_service_needs_a_grant() {
    let mut mesh = mesh(ROUTE);
    assert_eq!(shares(&mesh.frontend(WEB).unwrap()), ["1 500"]);
    assert!(mesh.backend(DB).is_none());
    mesh.apply(GRANT);
    assert_eq!(shares(&mesh.frontend(WEB).unwrap()), ["1 db.bank.svc.cluster.local "]);
    assert!(mesh.backend(DB).is_some());
    mesh.delete(Kind::ReferenceGrant, "bank", "shop");
    assert_eq!(shares(&mesh.frontend(WEB).unwrap()), ["1 500"]);
}

#[test]
fn a_route_is_where_it_is_attached() {
    let mut mesh = mesh(&[ROUTE, GRANT].concat());
    mesh.apply(&ROUTE.replace("kind: Service, name: web", "kind: Service, name: other"));
    assert!(shares(&mesh.frontend(WEB).unwrap()).is_empty(), "it is attached to something else");
    mesh.apply(ROUTE);
    assert_eq!(shares(&mesh.frontend(WEB).unwrap()).len(), 1);
    mesh.delete(Kind::HttpRoute, "shop", "web");
    assert!(shares(&mesh.frontend(WEB).unwrap()).is_empty());
}

#[test]
fn a_route_waits_for_its_parent() {
    let mut mesh = mesh(&[ROUTE, GRANT].concat());
    mesh.delete(Kind::Service, "shop", "web");
    assert!(mesh.frontend(WEB).is_none());
    mesh.apply(super::SERVICES);
    assert_eq!(shares(&mesh.frontend(WEB).unwrap()).len(), 1);
}
