//! Which ports of a pod the kubelet connects to.

use super::*;

#[rstest]
#[case::none(json!({}), &[])]
#[case::http(json!({"readinessProbe": {"httpGet": {"port": 8080, "path": "/"}}}), &[8080])]
#[case::tcp(json!({"livenessProbe": {"tcpSocket": {"port": 5432}}}), &[5432])]
#[case::grpc(json!({"startupProbe": {"grpc": {"port": 9000, "service": null}}}), &[9000])]
#[case::exec(json!({"livenessProbe": {"exec": {"command": ["true"]}}}), &[])]
#[case::all_once(
    json!({"livenessProbe": {"httpGet": {"port": 2}}, "readinessProbe": {"httpGet": {"port": 1}}, "startupProbe": {"tcpSocket": {"port": 2}}}),
    &[1, 2]
)]
#[case::by_name(json!({"readinessProbe": {"httpGet": {"port": "http"}}}), &[8081])]
#[case::a_number_as_text(json!({"readinessProbe": {"httpGet": {"port": "8080"}}}), &[8080])]
#[case::no_such_name(json!({"readinessProbe": {"httpGet": {"port": "admin"}}}), &[])]
#[case::another_host(json!({"readinessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}}), &[])]
#[case::hooks(json!({"lifecycle": {"preStop": {"httpGet": {"port": "http"}}, "postStart": {"tcpSocket": {"port": 7}}}}), &[7, 8081])]
#[case::a_hook_that_sleeps(json!({"lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}), &[])]
#[case::no_port(json!({"readinessProbe": {"httpGet": {"port": 0}}}), &[])]
#[case::too_high(json!({"readinessProbe": {"httpGet": {"port": 65536}}}), &[])]
#[case::null(json!({"readinessProbe": null, "lifecycle": {"preStop": null}}), &[])]
fn ports_of_probes(#[case] container: Value, #[case] ports: &[u16]) {
    let mut container = container;
    container["ports"] = json!([{"name": "http", "containerPort": 8081}, {"containerPort": 1}]);
    let Object::Pod(pod) = good(object(Kind::Pod, json!({"containers": [container]}))) else { panic!() };
    assert_eq!(&*pod.probe_ports, ports);
}

#[test]
fn of_init_containers_only_those_count_that_stay() {
    let probe = |port: u16| json!({"readinessProbe": {"tcpSocket": {"port": port}}, "restartPolicy": if port == 1 { "Always" } else { "" }});
    let spec = json!({"initContainers": [probe(1), probe(2)], "containers": [probe(3)], "runtimeClassName": "gvisor"});
    let Object::Pod(pod) = good(object(Kind::Pod, spec)) else { panic!() };
    assert_eq!((&*pod.probe_ports, &*pod.runtime_class), (&[1, 3][..], "gvisor"));
}
