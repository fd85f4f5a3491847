//! Who changes what.

use weir_resources::Kind;

use super::{DB, GATEWAY, SERVICES, SUBSETS, TO_DB, TO_SUBSETS, WEB, mesh, news, shares};
use crate::Config;
use crate::tests::{Mesh, pod};

#[test]
fn a_waypoint_is_told_its_services_and_what_they_need() {
    let mesh = mesh("");
    assert_eq!(mesh.waypoint().unwrap().frontends, [WEB]);
    let frontend = mesh.frontend(WEB).unwrap();
    assert_eq!((frontend.ports[0].port, frontend.ports[0].http.len()), (80, 0));
    assert_eq!(mesh.backend(WEB).unwrap().clusters[0].port, 80);
    assert!(mesh.endpoints(WEB).unwrap().endpoints.is_empty());
    assert!(mesh.backend(DB).is_none(), "nobody asks for it");
}

#[test]
fn what_a_frontend_names_comes_and_goes_with_it() {
    let mut mesh = mesh("");
    let changes = mesh.apply(TO_DB);
    let db = format!("shop/{DB}");
    assert_eq!(
        news(&changes),
        [format!("Frontend shop/{WEB}"), format!("Backend {db}"), format!("Endpoints {db}")]
    );
    assert_eq!(shares(&mesh.frontend(WEB).unwrap()), ["1 db.bank.svc.cluster.local "]);
    let changes = mesh.delete(Kind::VirtualService, "shop", "web");
    assert_eq!(
        news(&changes),
        [format!("Frontend shop/{WEB}"), format!("-Backend {db}"), format!("-Endpoints {db}")]
    );
}

#[test]
fn a_change_costs_what_it_touches() {
    let mut mesh = mesh(&[TO_SUBSETS, SUBSETS].concat());
    let web = |kind: &str| format!("{kind} shop/{WEB}");
    let one = |version: &str| pod("shop", "a", "10.0.0.1", &format!("app: web, version: {version}, x: y"));
    assert_eq!(news(&mesh.apply(&one("v1"))), [web("Endpoints")]);
    assert_eq!(news(&mesh.apply(&one("v2"))), [web("Endpoints")]);
    assert!(news(&mesh.apply(&pod("bank", "b", "10.0.0.2", "app: db"))).is_empty());
    let more = SUBSETS.replace("version: v2", "x: y");
    assert_eq!(news(&mesh.apply(&more)), [] as [String; 0], "the same endpoints are in it");
    let other = SUBSETS.replace("host: web", "host: db.bank.svc.cluster.local");
    assert_eq!(news(&mesh.apply(&other)), [web("Frontend"), web("Backend"), web("Endpoints")]);
    assert_eq!(shares(&mesh.frontend(WEB).unwrap()), ["50 503", "50 503"], "there is no such subset");
    assert_eq!(news(&mesh.delete(Kind::Pod, "shop", "a")), [web("Endpoints")]);
}

#[test]
fn subsets_of_labels_that_nodes_are_not_told() {
    let mut mesh = mesh(&SUBSETS.replace("version", "track"));
    mesh.apply(&pod("shop", "a", "10.0.0.1", "app: web, track: v1"));
    let subsets = |mesh: &Mesh| mesh.endpoints(WEB).unwrap().endpoints[0].subsets.clone();
    assert_eq!(subsets(&mesh), ["v1"]);
    let changes = mesh.apply(&pod("shop", "a", "10.0.0.1", "app: web, track: v2"));
    assert!(changes.addresses.is_empty());
    assert_eq!(subsets(&mesh), ["v2"]);
}

#[test]
fn without_the_waypoint_nothing_is_left() {
    let mut mesh = mesh(&[TO_DB, SUBSETS].concat());
    mesh.delete(Kind::Gateway, "shop", "wp");
    for kind in crate::Layer7::ALL {
        assert_eq!(mesh.index.snapshot().all_layer7(kind).len(), 0, "{kind:?}");
    }
    mesh.apply(GATEWAY);
    assert_eq!(mesh.waypoint().unwrap().frontends, [WEB]);
    assert!(mesh.backend(DB).is_some());
}

#[test]
fn a_service_that_goes_or_gets_another_waypoint() {
    let mut mesh = mesh(TO_DB);
    mesh.delete(Kind::Service, "bank", "db");
    assert_eq!(shares(&mesh.frontend(WEB).unwrap()), ["1 503"]);
    assert!(mesh.backend(DB).is_none());
    mesh.apply(SERVICES);
    assert_eq!(shares(&mesh.frontend(WEB).unwrap()), ["1 db.bank.svc.cluster.local "]);
    mesh.apply(&SERVICES.replace("name: web,", "name: web, labels: {istio.io/use-waypoint: none},"));
    assert!(mesh.waypoint().unwrap().frontends.is_empty());
    assert!(mesh.frontend(WEB).is_none() && mesh.endpoints(DB).is_none());
}

#[test]
fn classes_of_others_are_theirs() {
    let istio = GATEWAY.replace("weir-waypoint", "istio-waypoint");
    let mut mesh = mesh("");
    mesh.apply(&istio);
    assert!(mesh.waypoint().is_none() && mesh.frontend(WEB).is_none());
    let mut mesh = Mesh::with(Config { adopt_istio_classes: true, ..Config::default() });
    mesh.apply(&[super::NAMESPACE, SERVICES, &istio].concat());
    assert_eq!(mesh.waypoint().unwrap().frontends, [WEB]);
}

#[test]
fn a_waypoint_of_another_namespace_is_told_in_its_own() {
    let mut mesh = mesh("");
    let all = GATEWAY.replace("protocol: HBONE", "protocol: HBONE, allowedRoutes: {namespaces: {from: All}}");
    let labels = "labels: {istio.io/use-waypoint: wp, istio.io/use-waypoint-namespace: shop},";
    let bank = SERVICES.replace("name: db,", &format!("name: db, {labels}"));
    mesh.apply(&bank);
    assert_eq!(mesh.waypoint().unwrap().frontends, [WEB], "it takes its own namespace only");
    mesh.apply(&all);
    assert_eq!(mesh.waypoint().unwrap().frontends, [DB, WEB]);
    assert!(mesh.frontend(DB).is_some());
}
