//! Kubernetes' own kinds.

use std::net::IpAddr;

use serde_json::json;

use super::*;
use crate::{
    AllowedNamespaces, ContainerPort, GatewayAddressStatus, Labels, Phase, Selector, SlicePort, TargetPort,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn pod() {
    let mut value = object(
        Kind::Pod,
        json!({
            "nodeName": "n1", "hostNetwork": true, "volumes": [{"name": "v"}],
            "containers": [{"name": "c", "ports": [
                {"name": "http", "containerPort": 8080}, {"containerPort": 9090},
                {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            ]}],
            "initContainers": [
                {"restartPolicy": "Always", "ports": [{"name": "admin", "containerPort": 1, "protocol": "TCP"}]},
                {"ports": [{"name": "gone", "containerPort": 2}]},
            ],
        }),
    );
    value["metadata"]["ownerReferences"] = json!([
        {"kind": "Other", "name": "x"}, {"kind": "ReplicaSet", "name": "web-5d", "controller": true},
    ]);
    value["status"] = json!({
        "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "::ffff:10.0.0.1"}, {"ip": "fd00::1"}],
        "conditions": [{"type": "Initialized", "status": "False"}, {"type": "Ready", "status": "True"}],
    });
    let Object::Pod(pod) = good(value) else { panic!() };
    assert_eq!((&*pod.node, &*pod.service_account, pod.host_network), ("n1", "default", true));
    assert_eq!(pod.addresses, [ip("10.0.0.1"), ip("fd00::1")]);
    assert_eq!((pod.phase, pod.ready), (Phase::Running, true));
    assert_eq!(pod.owner, Some(("ReplicaSet".into(), "web-5d".into())));
    let port = |name: &str, port, tcp| ContainerPort { name: name.into(), port, tcp };
    assert_eq!(pod.ports, [port("http", 8080, true), port("dns", 53, false), port("admin", 1, true)]);
}

#[rstest]
#[case::nothing(json!({}), &[], Phase::Pending, false)]
#[case::null(Value::Null, &[], Phase::Pending, false)]
#[case::one(json!({"phase": "Failed", "podIP": "10.0.0.1"}), &["10.0.0.1"], Phase::Failed, false)]
#[case::none_yet(json!({"podIP": "", "podIPs": null}), &[], Phase::Pending, false)]
#[case::unready(json!({"conditions": [{"type": "Ready", "status": "False"}]}), &[], Phase::Pending, false)]
fn status_of_a_pod(#[case] status: Value, #[case] ips: &[&str], #[case] phase: Phase, #[case] ready: bool) {
    let mut value = object(Kind::Pod, json!({"serviceAccountName": "web"}));
    value["status"] = status;
    let Object::Pod(pod) = good(value) else { panic!() };
    assert_eq!(pod.addresses, ips.iter().map(|text| ip(text)).collect::<Vec<_>>());
    assert_eq!((pod.phase, pod.ready, &*pod.service_account), (phase, ready, "web"));
}

#[test]
fn service() {
    let mut value = object(
        Kind::Service,
        json!({
            "clusterIP": "10.1.0.1", "clusterIPs": ["10.1.0.1", "fd00::1"], "selector": {"app": "web"},
            "ports": [
                {"name": "a", "port": 80, "targetPort": 8080, "protocol": "TCP", "appProtocol": "http"},
                {"name": "b", "port": 81, "targetPort": "http"}, {"name": "c", "port": 82},
                {"name": "dns", "port": 82, "protocol": "UDP"},
            ],
            "publishNotReadyAddresses": true, "internalTrafficPolicy": "Local", "trafficDistribution": "PreferClose",
            "ipFamilies": ["IPv4", "IPv6"], "externalIPs": ["1.2.3.4"],
        }),
    );
    value["status"] = json!({"loadBalancer": {"ingress": [{"hostname": "lb"}, {"ip": "5.6.7.8"}]}});
    let Object::Service(service) = good(value) else { panic!() };
    assert_eq!(service.cluster_ips, [ip("10.1.0.1"), ip("fd00::1")]);
    assert_eq!(service.external_ips, [ip("1.2.3.4"), ip("5.6.7.8")]);
    assert_eq!(service.selector.get("app"), Some("web"));
    let ports: Vec<_> =
        service.ports.iter().map(|p| (&*p.name, p.port, &p.target, &*p.app_protocol)).collect();
    let (number, name) = (TargetPort::Number, TargetPort::Name("http".into()));
    assert_eq!(ports, [("a", 80, &number(8080), "http"), ("b", 81, &name, ""), ("c", 82, &number(82), "")]);
    assert!(service.publish_not_ready && service.internal_local && !service.external_name);
    assert_eq!((&*service.traffic_distribution, service.ip_families.len()), ("PreferClose", 2));
}

#[rstest]
#[case::headless(json!({"clusterIP": "None", "clusterIPs": ["None"]}), &[], false)]
#[case::single(json!({"clusterIP": "10.1.0.1"}), &["10.1.0.1"], false)]
#[case::not_said(json!({}), &[], false)]
#[case::external(json!({"type": "ExternalName", "externalName": "a.b", "clusterIP": "10.1.0.1"}), &[], true)]
fn addresses_of_a_service(#[case] spec: Value, #[case] ips: &[&str], #[case] external: bool) {
    let Object::Service(service) = good(object(Kind::Service, spec)) else { panic!() };
    assert_eq!(service.cluster_ips, ips.iter().map(|text| ip(text)).collect::<Vec<_>>());
    assert_eq!(service.external_name, external);
}

#[test]
fn endpoint_slice() {
    let mut value = object(Kind::EndpointSlice, Value::Null);
    value["addressType"] = "IPv4".into();
    value["endpoints"] = json!([
        {"addresses": ["10.0.0.1"], "conditions": {"ready": null}, "nodeName": "n", "zone": "z",
         "targetRef": {"kind": "Pod", "name": "web-1", "namespace": "other"}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": false}, "targetRef": {"kind": "Pod", "name": "web-2"}},
        {"addresses": ["10.0.0.3"], "targetRef": {"kind": "Node", "name": "n"}},
    ]);
    value["ports"] = json!([{"name": "http", "port": 80}, {"name": "u", "port": 1, "protocol": "UDP"}, {"name": "all", "port": null}]);
    let Object::EndpointSlice(slice) = good(value.clone()) else { panic!() };
    assert_eq!(slice.ports, [SlicePort { name: "http".into(), port: 80 }]);
    let pods: Vec<_> = slice
        .endpoints
        .iter()
        .map(|e| (e.ready, e.pod.as_ref().map(|(ns, n)| format!("{ns}/{n}"))))
        .collect();
    assert_eq!(pods, [(true, Some("other/web-1".into())), (false, Some("shop/web-2".into())), (true, None)]);
    assert_eq!((&*slice.endpoints[0].node, &*slice.endpoints[0].zone), ("n", "z"));
    value["addressType"] = "FQDN".into();
    let Object::EndpointSlice(slice) = good(value.clone()) else { panic!() };
    assert_eq!(slice.endpoints, []);
    value["addressType"] = "IPv6".into();
    (value["endpoints"], value["ports"]) = (Value::Null, Value::Null);
    good(value);
}

#[test]
fn node_and_config_map() {
    let mut value = object(Kind::Node, json!({}));
    value["status"] = json!({"addresses": [
        {"type": "Hostname", "address": "n1"}, {"type": "InternalIP", "address": "192.0.2.1"},
        {"type": "ExternalIP", "address": "not said"}, {"type": "ExternalIP", "address": "2001:db8::1"},
    ]});
    let Object::Node(node) = good(value) else { panic!() };
    assert_eq!(node.addresses, [ip("192.0.2.1"), ip("2001:db8::1")]);
    let mut value = object(Kind::ConfigMap, Value::Null);
    value["data"] = json!({"mesh": "a: b"});
    let Object::ConfigMap(map) = good(value) else { panic!() };
    assert_eq!(map.data["mesh"], "a: b");
}

#[test]
fn gateway() {
    let class = good(object(Kind::GatewayClass, json!({"controllerName": "istio.io/mesh-controller"})));
    assert!(matches!(class, Object::GatewayClass(class) if &*class.controller == "istio.io/mesh-controller"));
    let mut value = object(
        Kind::Gateway,
        json!({"gatewayClassName": "istio-waypoint", "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE"}]}),
    );
    value["status"] = json!({"addresses": [
        {"value": "10.0.0.1"}, {"type": "Hostname", "value": "a.b"}, {"type": "NamedAddress", "value": "x"},
        {"type": "IPAddress", "value": "pending"}, 7,
    ]});
    let Object::Gateway(gateway) = good(value) else { panic!() };
    assert_eq!((&*gateway.class, gateway.listeners[0].port), ("istio-waypoint", 15008));
    let name = GatewayAddressStatus::Hostname("a.b".into());
    assert_eq!(gateway.addresses, [GatewayAddressStatus::Ip(ip("10.0.0.1")), name]);
}

#[test]
fn what_runs_a_gateway() {
    let mut value = object(
        Kind::Gateway,
        json!({
            "gatewayClassName": "weir-waypoint",
            "listeners": [{"name": "a", "port": 1, "protocol": "HBONE", "hostname": "*.b",
                "allowedRoutes": {"kinds": [{"kind": "HTTPRoute"}, {"group": "", "kind": "X"}]}}],
            "addresses": [{"value": "10.0.0.1"}, {"type": "Hostname", "value": "a.b"}],
            "infrastructure": {"labels": {"a": "b"}, "annotations": {"c/d": "e f"},
                "parametersRef": {"group": "", "kind": "ConfigMap", "name": "options"}},
        }),
    );
    value["status"] = json!({"listeners": [{"name": "a"}]});
    let Object::Gateway(gateway) = good(value) else { panic!() };
    let listener = &gateway.listeners[0];
    assert_eq!((&*listener.hostname, listener.kinds.len()), ("*.b", 2));
    assert_eq!((&*listener.kinds[0], &*listener.kinds[1]), ("gateway.networking.k8s.io/HTTPRoute", "/X"));
    let wanted: Vec<_> = gateway.wanted_addresses.iter().map(|a| (&*a.kind, &*a.value)).collect();
    assert_eq!(wanted, [("IPAddress", "10.0.0.1"), ("Hostname", "a.b")]);
    let infrastructure = &gateway.infrastructure;
    assert_eq!(
        (infrastructure.labels.get("a"), infrastructure.annotations.get("c/d")),
        (Some("b"), Some("e f"))
    );
    let parameters = infrastructure.parameters.as_ref().unwrap();
    assert_eq!((&*parameters.group, &*parameters.kind, &*parameters.name), ("", "ConfigMap", "options"));
    assert_eq!(gateway.told.listeners, [json!({"name": "a"})]);
    let spec = json!({"infrastructure": {"labels": {"a": 1}}});
    let Object::Gateway(gateway) = good(object(Kind::Gateway, spec)) else { panic!() };
    assert_eq!(gateway.problem.unwrap().field, "spec.infrastructure.labels.a");
}

#[rstest]
#[case::not_said(json!({}), AllowedNamespaces::Same)]
#[case::same(json!({"from": "Same"}), AllowedNamespaces::Same)]
#[case::all(json!({"from": "All"}), AllowedNamespaces::All)]
#[case::labels(json!({"from": "Selector", "selector": {"matchLabels": {"a": "b"}}}), selector(&[("a", "b")]))]
#[case::everybody(json!({"from": "Selector", "selector": {}}), selector(&[]))]
#[case::unknown_operator(json!({"from": "Selector", "selector": {"matchExpressions": [{"key": "a", "operator": "Gt"}]}}), AllowedNamespaces::None)]
#[case::no_selector(json!({"from": "Selector"}), AllowedNamespaces::None)]
#[case::unknown(json!({"from": "Sometimes"}), AllowedNamespaces::None)]
fn allowed_namespaces(#[case] namespaces: Value, #[case] allowed: AllowedNamespaces) {
    let listener =
        json!({"name": "a", "port": 1, "protocol": "HBONE", "allowedRoutes": {"namespaces": namespaces}});
    let Object::Gateway(gateway) = good(object(Kind::Gateway, json!({"listeners": [listener]}))) else {
        panic!()
    };
    assert_eq!(gateway.listeners[0].allowed, allowed);
}

fn selector(labels: &[(&'static str, &'static str)]) -> AllowedNamespaces {
    let labels = labels.iter().copied().collect::<Labels>();
    AllowedNamespaces::Selector(Selector { labels, expressions: Vec::new() })
}

#[rstest]
#[case("In", &["a", "b"], [true, false, false])]
#[case("NotIn", &["a", "b"], [false, true, true])]
#[case("Exists", &[], [true, true, false])]
#[case("DoesNotExist", &[], [false, false, true])]
fn expressions_of_a_selector(#[case] operator: &str, #[case] values: &[&str], #[case] expected: [bool; 3]) {
    let selector = json!({"matchExpressions": [{"key": "team", "operator": operator, "values": values}]});
    let namespaces = json!({"from": "Selector", "selector": selector});
    let listener = json!({"name": "a", "port": 1, "allowedRoutes": {"namespaces": namespaces}});
    let Object::Gateway(gateway) = good(object(Kind::Gateway, json!({"listeners": [listener]}))) else {
        panic!()
    };
    let AllowedNamespaces::Selector(selector) = &gateway.listeners[0].allowed else { panic!("{gateway:?}") };
    assert_eq!([Some("b"), Some("c"), None].map(|value| selector.selects(|_| value)), expected);
}

#[test]
fn a_gateway_whose_listeners_cannot_be_read_keeps_its_class() {
    let listeners = json!([{"name": "a", "port": 70_000}]);
    let spec = json!({"gatewayClassName": "other", "listeners": listeners});
    let Object::Gateway(gateway) = good(object(Kind::Gateway, spec)) else { panic!() };
    assert_eq!((&*gateway.class, gateway.listeners.len()), ("other", 0));
    assert_eq!(gateway.problem.unwrap().field, "spec.listeners[0].port");
}
