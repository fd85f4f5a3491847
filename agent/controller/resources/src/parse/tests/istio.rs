//! Istio's kinds.

use serde_json::json;

use super::*;
use crate::{Location, Resolution};

#[test]
fn service_entry() {
    let mut value = object(
        Kind::ServiceEntry,
        json!({
            "hosts": ["API.example.com", "*.b.com"], "addresses": ["192.0.2.1", "10.0.0.7/8", "::ffff:1.2.3.4"],
            "ports": [{"number": 443, "name": "tls", "protocol": "TLS", "targetPort": 8443}, {"number": 80, "name": "http"}],
            "location": "MESH_INTERNAL", "resolution": "STATIC",
            "endpoints": [
                {"address": "10.0.0.1", "ports": {"tls": 9443}, "labels": {"app": "x"}, "network": "n",
                 "locality": "r/z/s", "weight": 3, "serviceAccount": "sa"},
                {"address": "::FFFF:10.0.0.2"},
            ],
            "exportTo": [".", "shop"], "subjectAltNames": ["spiffe://cluster.local/ns/a/sa/b"],
        }),
    );
    value["status"] = json!({"addresses": [{"value": "240.240.0.1", "host": "a"}, {"value": "2001:2::1"}, {"value": "odd"}, 7]});
    let Object::ServiceEntry(entry) = good(value) else { panic!() };
    assert_eq!(entry.hosts, ["api.example.com".into(), "*.b.com".into()]);
    let addresses: Vec<_> = entry.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["192.0.2.1/32", "10.0.0.0/8", "1.2.3.4/32"]);
    let ports: Vec<_> = entry.ports.iter().map(|p| (&*p.name, p.port, p.target, &*p.protocol)).collect();
    assert_eq!(ports, [("tls", 443, 8443, "TLS"), ("http", 80, 80, "")]);
    assert_eq!((entry.location, entry.resolution), (Location::Internal, Resolution::Static));
    let [first, second] = &*entry.endpoints else { panic!() };
    assert_eq!((&*first.address, first.ports["tls"], first.labels.get("app")), ("10.0.0.1", 9443, Some("x")));
    assert_eq!(
        (&*first.network, &*first.locality, first.weight, &*first.service_account),
        ("n", "r/z/s", 3, "sa")
    );
    assert_eq!((&*second.address, &*second.service_account), ("10.0.0.2", "default"));
    let allocated: Vec<_> = entry.allocated.iter().map(|(host, ip)| format!("{host}={ip}")).collect();
    assert_eq!(allocated, ["a=240.240.0.1", "=2001:2::1"]);
    assert_eq!((entry.export_to.len(), entry.subject_alt_names.len()), (2, 1));
}

#[rstest]
#[case::external_none(json!({"hosts": ["a.b"]}))]
#[case::dns(json!({"hosts": ["a.b"], "resolution": "DNS", "ports": [{"number": 1, "name": "a"}]}))]
#[case::dns_endpoint(json!({"hosts": ["*.b"], "resolution": "DNS", "endpoints": [{"address": "c.d"}]}))]
#[case::round_robin(json!({"hosts": ["a.b"], "resolution": "DNS_ROUND_ROBIN", "endpoints": [{"address": "c.d"}]}))]
#[case::dynamic(json!({"hosts": ["*.b"], "resolution": "DYNAMIC_DNS"}))]
#[case::selector(json!({"hosts": ["a.b"], "resolution": "STATIC", "workloadSelector": {"labels": {"a": "b"}}}))]
#[case::no_endpoints_yet(json!({"hosts": ["a.b"], "resolution": "STATIC"}))]
#[case::unix(json!({"hosts": ["a.b"], "resolution": "STATIC", "ports": [{"number": 1, "name": "a"}], "endpoints": [{"address": "unix:///run/a"}]}))]
#[case::another_network(json!({"hosts": ["a.b"], "resolution": "STATIC", "endpoints": [{"network": "n"}]}))]
#[case::everybody(json!({"hosts": ["a.b"], "exportTo": ["*"], "endpoints": null}))]
#[case::target_not_said(json!({"hosts": ["a.b"], "ports": [{"number": 1, "name": "a", "targetPort": 0}]}))]
fn service_entries_that_are_taken(#[case] spec: Value) {
    good(object(Kind::ServiceEntry, spec));
}

#[rstest]
#[case::ip(json!({"address": "FD00::1"}), "fd00::1")]
#[case::host(json!({"address": "VM.example.com"}), "vm.example.com")]
#[case::unix(json!({"address": "unix:///A"}), "unix:///A")]
#[case::network(json!({"network": "n"}), "")]
fn addresses_of_a_workload_entry(#[case] spec: Value, #[case] address: &str) {
    let Object::WorkloadEntry(entry) = good(object(Kind::WorkloadEntry, spec)) else { panic!() };
    assert_eq!((&*entry.spec.address, entry.healthy), (address, true));
}

#[rstest]
#[case::healthy("True", true)]
#[case::unhealthy("False", false)]
#[case::unknown("Unknown", false)]
fn health_of_a_workload_entry(#[case] status: &str, #[case] healthy: bool) {
    let mut value = object(Kind::WorkloadEntry, json!({"address": "10.0.0.1"}));
    value["status"] = json!({"conditions": [{"type": "Healthy", "status": status}]});
    let Object::WorkloadEntry(entry) = good(value) else { panic!() };
    assert_eq!(entry.healthy, healthy);
}

#[test]
fn a_workload_group_has_its_fields() {
    let spec = json!({
        "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
        "template": {"serviceAccount": "sa", "ports": {"grpc": 3550}},
        "probe": {"httpGet": {"path": "/"}},
    });
    good(object(Kind::WorkloadGroup, spec));
}

#[test]
fn policies_and_routes_keep_their_specs_with_all_their_faults() {
    let spec = json!({"rules": [{"from": null}, 7], "action": null, "nonsense": []});
    for kind in [Kind::AuthorizationPolicy, Kind::PeerAuthentication] {
        let (Object::AuthorizationPolicy(policy) | Object::PeerAuthentication(policy)) =
            good(object(kind, spec.clone()))
        else {
            panic!()
        };
        assert_eq!(policy.spec, spec);
        assert_eq!(&*policy.meta.name, "a");
    }
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_routing()) {
        let (Object::VirtualService(routing)
        | Object::DestinationRule(routing)
        | Object::HttpRoute(routing)
        | Object::GrpcRoute(routing)
        | Object::ReferenceGrant(routing)) = good(object(kind, spec.clone()))
        else {
            panic!()
        };
        assert_eq!((&routing.spec, &*routing.meta.namespace), (&spec, "shop"));
    }
    let mut value = object(Kind::AuthorizationPolicy, Value::Null);
    value.as_object_mut().unwrap().remove("spec");
    assert!(matches!(good(value), Object::AuthorizationPolicy(policy) if policy.spec.is_null()));
}

#[test]
fn a_route_knows_what_its_parents_tell_it() {
    let mut value = object(Kind::HttpRoute, json!({"rules": []}));
    value["status"] = json!({"parents": [{"controllerName": "other", "parentRef": {"name": "web"}}]});
    let Object::HttpRoute(route) = good(value) else { panic!() };
    assert_eq!(route.parents, [json!({"controllerName": "other", "parentRef": {"name": "web"}})]);
}
