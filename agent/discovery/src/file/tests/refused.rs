//! Each mistake with the place and the field that its message must name.

use std::path::Path;

use rstest::rstest;

use crate::file::{FileError, Problem, parse};

fn problems(text: &str) -> Vec<Problem> {
    match parse(Path::new("/etc/weir/mesh.yaml"), text) {
        Err(FileError::Refused { problems, .. }) => problems,
        other => panic!("{other:?}"),
    }
}

/// Two pods and whatever follows.
fn with_pods(rest: &str) -> String {
    format!(
        "workloads:\n- {{name: a, namespace: n, addresses: [10.0.0.1]}}\n- {{name: b, namespace: n, addresses: [10.0.0.2]}}\n{rest}"
    )
}

#[rstest]
#[case::unknown_field(
    "workloads:\n- name: a\n  namespace: n\n  adresses: [10.0.0.1]\n",
    4,
    3,
    "workloads[0].adresses",
    "unknown field `adresses`"
)]
#[case::unknown_top_level("workload: []\n", 1, 1, "workload", "unknown field")]
#[case::missing_field("workloads:\n- name: a\n", 2, 3, "workloads[0]", "missing field `namespace`")]
#[case::unknown_name(
    "workloads:\n- {name: a, namespace: n,\n   tunnelProtocol: HBOON}\n",
    3,
    20,
    "workloads[0].tunnelProtocol",
    "HBOON"
)]
#[case::wrong_type(
    "workloads:\n- {name: a, namespace: n, addresses: 10.0.0.1}\n",
    2,
    38,
    "workloads[0].addresses",
    ""
)]
#[case::duplicate_key("workloads: []\nworkloads: []\n", 2, 1, "", "duplicate")]
#[case::syntax("workloads: [\n", 1, 12, "workloads", "unclosed bracket")]
#[case::second_document("workloads: []\n---\nworkloads: []\n", 2, 1, "", "")]
#[case::endpoint_type(
    "services:\n- name: s\n  namespace: n\n  endpoints:\n  - [a]\n",
    5,
    5,
    "services[0].endpoints[0]",
    "the name or uid of a workload"
)]
fn the_text(
    #[case] text: &str,
    #[case] line: u64,
    #[case] column: u64,
    #[case] field: &str,
    #[case] message: &str,
) {
    let found = problems(text);
    let [problem] = &found[..] else { panic!("{found:?}") };
    assert_eq!((problem.line, problem.column, &*problem.field), (line, column, field), "{problem}");
    assert!(problem.message.contains(message), "{problem}");
}

#[rstest]
#[case::address(
    "- {name: c, namespace: n, addresses: [10.0.0.256]}",
    4,
    "workloads[2].addresses[0]",
    "'10.0.0.256' is not an IP address"
)]
#[case::no_address("- {name: c, namespace: n}", 4, "workloads[2].addresses", "at least one")]
#[case::loopback(
    "- {name: c, namespace: n, addresses: [127.0.0.1]}",
    4,
    "workloads[2].addresses[0]",
    "cannot be the address"
)]
#[case::same_address(
    "- {name: c, namespace: n, addresses: [10.0.0.9, '::ffff:10.0.0.2']}",
    4,
    "workloads[2].addresses[1]",
    "already an address in line 3"
)]
#[case::same_name(
    "- {name: a, namespace: n, addresses: [10.0.0.9]}",
    4,
    "workloads[2].name",
    "already that of the workload in line 2"
)]
#[case::same_uid(
    "- {uid: Kubernetes//Pod/n/b, name: c, namespace: n, addresses: [10.0.0.9]}",
    4,
    "workloads[2].uid",
    "in line 3"
)]
#[case::empty_uid(
    "- {uid: '', name: c, namespace: n, addresses: [10.0.0.9]}",
    4,
    "workloads[2].uid",
    "missing"
)]
#[case::empty_name(
    "- {name: '', namespace: n, addresses: [10.0.0.9]}",
    4,
    "workloads[2].name",
    "must not be empty"
)]
#[case::identity(
    "- {name: c, namespace: n, addresses: [10.0.0.9], serviceAccount: a/b}",
    4,
    "workloads[2].identity",
    "service account 'a/b'"
)]
#[case::host_network(
    "- {name: c, namespace: n, addresses: [10.0.0.9], networkMode: HOST_NETWORK, tunnelProtocol: HBONE}",
    4,
    "workloads[2].tunnelProtocol",
    "HOST_NETWORK"
)]
#[case::later(
    "- {name: c, namespace: n, addresses: [10.0.0.9], waypoint: {hbonePort: 1}}",
    4,
    "workloads[2].waypoint",
    "not supported yet"
)]
#[case::policies(
    "- {name: c, namespace: n, addresses: [10.0.0.9], authorizationPolicies: [n/x]}",
    4,
    "workloads[2].authorizationPolicies",
    "not supported yet"
)]
#[case::services(
    "- {name: c, namespace: n, addresses: [10.0.0.9], services: {}}",
    4,
    "workloads[2].services",
    "endpoints"
)]
#[case::relative_netns(
    "- {name: c, namespace: n, node: x, addresses: [10.0.0.9], networkNamespace: web}",
    4,
    "workloads[2].networkNamespace",
    "absolute"
)]
#[case::netns_without_node(
    "- {name: c, namespace: n, addresses: [10.0.0.9], networkNamespace: /run/netns/c}",
    4,
    "workloads[2].networkNamespace",
    "`node`"
)]
#[case::probe_without_netns(
    "- {name: c, namespace: n, addresses: [10.0.0.9], probePorts: [80]}",
    4,
    "workloads[2].probePorts",
    "networkNamespace"
)]
#[case::probe_port(
    "- {name: c, namespace: n, node: x, addresses: [10.0.0.9], networkNamespace: /c, probePorts: [80, 70000]}",
    4,
    "workloads[2].probePorts[1]",
    "70000 is not a port"
)]
#[case::same_netns(
    "- {name: c, namespace: n, node: x, addresses: [10.0.0.8], networkNamespace: /c}\n- {name: d, namespace: n, node: x, addresses: [10.0.0.9], networkNamespace: /c}",
    5,
    "workloads[3].networkNamespace",
    "line 4"
)]
#[case::vip_of_a_pod(
    "services:\n- {name: s, namespace: n, addresses: [10.0.0.2]}",
    5,
    "services[0].addresses[0]",
    "address of workload Kubernetes//Pod/n/b"
)]
#[case::vip(
    "services:\n- {name: s, namespace: n, addresses: [example.com]}",
    5,
    "services[0].addresses[0]",
    "neither an IP address nor a range"
)]
#[case::vip_prefix(
    "services:\n- {name: s, namespace: n, addresses: [10.0.0.0/33]}",
    5,
    "services[0].addresses[0]",
    "neither an IP address nor a range"
)]
#[case::same_vip(
    "services:\n- {name: s, namespace: n, addresses: [10.1.0.1, 10.1.0.1]}",
    5,
    "services[0].addresses[1]",
    "twice"
)]
#[case::port_zero(
    "services:\n- {name: s, namespace: n, ports: [{servicePort: 0}]}",
    5,
    "services[0].ports[0].servicePort",
    "0 is not a port; expected 1 to 65535"
)]
#[case::target(
    "services:\n- {name: s, namespace: n, ports: [{servicePort: 1, targetPort: -1}]}",
    5,
    "services[0].ports[0].targetPort",
    "-1 is not a port; expected 0 to 65535"
)]
#[case::same_port(
    "services:\n- {name: s, namespace: n, ports: [{servicePort: 1}, {servicePort: 1}]}",
    5,
    "services[0].ports[1].servicePort",
    "twice"
)]
#[case::same_service(
    "services:\n- {name: s, namespace: n}\n- {name: t, namespace: n, hostname: s.n.svc.cluster.local}",
    6,
    "services[1].hostname",
    "already in line 5"
)]
#[case::unknown_endpoint(
    "services:\n- {name: s, namespace: n, endpoints: [a, z]}",
    5,
    "services[0].endpoints[1]",
    "no workload 'z'"
)]
#[case::endpoint_of_another_namespace(
    "services:\n- {name: s, namespace: m, endpoints: [a]}",
    5,
    "services[0].endpoints[0]",
    "no workload 'a'"
)]
#[case::same_endpoint(
    "services:\n- {name: s, namespace: n, endpoints: [a, n/a]}",
    5,
    "services[0].endpoints[1]",
    "twice"
)]
#[case::endpoint_port(
    "services:\n- {name: s, namespace: n, endpoints: [{workload: a, ports: [{servicePort: 7, targetPort: 8}]}]}",
    5,
    "services[0].endpoints[0].ports[0].servicePort",
    "no port 7"
)]
#[case::name(
    "services:\n- {name: s, namespace: n, subjectAltNames: ['spiffe://td/ns/n']}",
    5,
    "services[0].subjectAltNames[0]",
    "must read spiffe://"
)]
#[case::service_waypoint(
    "services:\n- {name: s, namespace: n, waypoint: x}",
    5,
    "services[0].waypoint",
    "not supported yet"
)]
#[case::hostname(
    "services:\n- {name: s, namespace: n, hostname: a/b}",
    5,
    "services[0].hostname",
    "not a host name"
)]
#[case::unknown_selected(
    "peerAuthentication:\n- {name: p, namespace: n, workloads: [z], mode: STRICT}",
    5,
    "peerAuthentication[0].workloads[0]",
    "no workload 'z'"
)]
#[case::selected_twice(
    "peerAuthentication:\n- {name: p, namespace: n, workloads: [a], mode: STRICT}\n- {name: q, namespace: n, workloads: [b, a]}",
    6,
    "peerAuthentication[1].workloads[1]",
    "'p' in line 5"
)]
#[case::two_for_a_namespace(
    "peerAuthentication:\n- {name: p, namespace: n, mode: STRICT}\n- {name: q, namespace: n, mode: STRICT}",
    6,
    "peerAuthentication[1]",
    "'p' in line 5"
)]
#[case::port_without_workload(
    "peerAuthentication:\n- {name: p, namespace: n, portLevelMtls: {'80': STRICT}}",
    5,
    "peerAuthentication[0].portLevelMtls",
    "needs `workloads`"
)]
#[case::port_key(
    "peerAuthentication:\n- {name: p, namespace: n, workloads: [a], portLevelMtls: {http: STRICT}}",
    5,
    "peerAuthentication[0].portLevelMtls.http",
    "expected 1 to 65535"
)]
fn the_meaning(#[case] rest: &str, #[case] line: u64, #[case] field: &str, #[case] message: &str) {
    let found = problems(&with_pods(rest));
    let [problem] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((problem.line, &*problem.field), (line, field), "{problem}");
    assert!(problem.column > 0 && problem.message.contains(message), "{problem}");
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file_on_one_line() {
    let text = "workloads:\n- {name: a, namespace: n, addresses: [x]}\nservices:\n- {name: s, namespace: n, addresses: [y], endpoints: [z]}\n";
    let error = parse(Path::new("/etc/weir/mesh.yaml"), text).unwrap_err().to_string();
    assert_eq!(
        error,
        "the mesh file is refused as a whole: /etc/weir/mesh.yaml:2:39: workloads[0].addresses[0]: 'x' is not an IP address; \
         /etc/weir/mesh.yaml:4:39: services[0].addresses[0]: 'y' is neither an IP address nor a range such as 10.1.0.0/16; \
         /etc/weir/mesh.yaml:4:55: services[0].endpoints[0]: no workload 'z'; expected a uid, a name in namespace n, or namespace/name"
    );
}

#[rstest]
#[case("")]
#[case("\n  \n# only a comment\n")]
fn an_empty_file_is_not_an_empty_mesh(#[case] text: &str) {
    assert!(problems(text)[0].message.contains("it is empty"), "{:?}", problems(text));
}

#[test]
fn bombs_are_refused_quickly() {
    let nested = format!("workloads: {}", "[".repeat(200_000));
    let aliases = "workloads:\n- &a [x,x,x,x,x,x,x,x,x]\n- &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n- &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n- [*c,*c,*c,*c]\n";
    for text in [&nested[..], aliases] {
        assert_eq!(problems(text).len(), 1);
    }
}

/// Found by the fuzzer: a key is quoted in the field path.
#[test]
fn a_key_cannot_break_out_of_its_line() {
    for text in ["? |\n  a\n  b\n: 1\n", "\"a\\nERROR\\e[31m\": 1\n", "services: [{\"x\\r\\ny\": 1}]\n"] {
        let message = parse(Path::new("mesh.yaml"), text).unwrap_err().to_string();
        assert!(!message.chars().any(char::is_control), "{message:?}");
    }
}
