//! Endpoints of services.

use weir_proto::l7::load_balancer::Algorithm;

use super::{WEB, mesh};
use crate::tests::pod;

#[test]
fn a_pod_is_reached_by_its_identity() {
    let mut mesh = mesh("");
    mesh.apply(&pod("shop", "a", "10.0.0.1", "app: web"));
    let endpoints = mesh.endpoints(WEB).unwrap().endpoints;
    let one = &endpoints[0];
    assert_eq!(one.uid, "Kubernetes//Pod/shop/a");
    assert_eq!(one.addresses, [[10, 0, 0, 1]]);
    assert_eq!(one.ports, [(80, 8080)].into());
    assert_eq!((one.tunnel, &*one.identity), (true, "spiffe://cluster.local/ns/shop/sa/a"));
    assert_eq!((&*one.node, one.unhealthy), ("n1", false));
    let outside = pod("shop", "a", "10.0.0.1", "app: web").replace("ambient.istio.io/redirection", "x");
    mesh.apply(&outside);
    let one = &mesh.endpoints(WEB).unwrap().endpoints[0];
    assert_eq!((one.tunnel, &*one.identity), (false, ""));
}

#[test]
fn a_pod_that_is_not_ready_is_said_to_be() {
    let mut mesh = mesh("");
    let sick = pod("shop", "a", "10.0.0.1", "app: web").replace("'True'", "'False'");
    mesh.apply(&sick);
    assert!(mesh.endpoints(WEB).unwrap().endpoints[0].unhealthy);
    mesh.apply(&super::SERVICES.replace("spec: {", "spec: {publishNotReadyAddresses: true, "));
    assert!(!mesh.endpoints(WEB).unwrap().endpoints[0].unhealthy);
}

const EXTERNAL: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: shop}
spec:
  hosts: [api.example.com]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: RESOLUTION
---
";

#[test]
fn what_is_to_be_resolved_is_an_endpoint_by_its_name() {
    let mut mesh = mesh("");
    mesh.apply(&EXTERNAL.replace("RESOLUTION", "DNS"));
    let name = "shop/api.example.com";
    assert_eq!(mesh.waypoint().unwrap().frontends, [name, WEB]);
    let endpoints = mesh.endpoints(name).unwrap().endpoints;
    assert_eq!((&*endpoints[0].hostname, endpoints[0].ports[&443]), ("api.example.com", 443));
    mesh.apply(&EXTERNAL.replace("RESOLUTION", "NONE"));
    assert!(mesh.endpoints(name).unwrap().endpoints.is_empty());
    let balancer = mesh.backend(name).unwrap().clusters[0].load_balancer.clone().unwrap();
    assert!(matches!(balancer.algorithm, Some(Algorithm::Passthrough(_))));
}

#[test]
fn endpoints_of_an_entry_have_labels() {
    let rule = super::SUBSETS.replace("host: web", "host: api.example.com");
    let mut mesh = mesh(&rule);
    let static_ = EXTERNAL.replace(
        "resolution: RESOLUTION",
        "resolution: STATIC\n  endpoints: [{address: 1.2.3.4, labels: {version: v2}, weight: 3}]",
    );
    mesh.apply(&static_);
    let one = &mesh.endpoints("shop/api.example.com").unwrap().endpoints[0];
    assert_eq!((one.subsets.clone(), one.weight), (vec!["v2".to_owned()], 3));
}

#[test]
fn labels_are_told_that_make_an_endpoint_nearer() {
    let rule = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: shop}
spec:
  host: web
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 5}
    loadBalancer: {localityLbSetting: {enabled: true, failoverPriority: [rack, tier=gold]}}
---
";
    let mut mesh = mesh("");
    mesh.apply(&pod("shop", "a", "10.0.0.1", "app: web, rack: r1, tier: silver"));
    assert!(mesh.endpoints(WEB).unwrap().endpoints[0].labels.is_empty());
    mesh.apply(rule);
    let labels = &mesh.endpoints(WEB).unwrap().endpoints[0].labels;
    assert_eq!(labels.get("rack").map(String::as_str), Some("r1"));
    assert_eq!(labels.get("tier").map(String::as_str), Some("silver"));
    assert_eq!(labels.len(), 2);
}
