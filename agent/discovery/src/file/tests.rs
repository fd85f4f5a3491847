//! Files good and bad.

use std::path::Path;

use rstest::rstest;
use weir_model::{
    AppProtocol, LoadBalancingMode, MtlsMode, PortMapping, Scope, ServiceKey, TunnelProtocol, WorkloadType,
};

use super::{Entry, File, FileError, load_file, parse};

mod refused;

/// Reads a text that must be good.
pub(crate) fn good(text: &str) -> File {
    parse(Path::new("mesh.yaml"), text).unwrap()
}

fn entry<'a>(file: &'a File, name: &str) -> &'a Entry {
    file.workloads.iter().find(|e| &*e.workload.name == name).unwrap()
}

fn sample() -> File {
    load_file(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/samples/mesh.yaml")).unwrap()
}

#[test]
fn the_sample_says_what_its_comments_say() {
    let file = sample();
    assert_eq!((file.workloads.len(), file.services.len()), (4, 1));
    let web = entry(&file, "web-1");
    assert_eq!(&*web.workload.uid, "Kubernetes//Pod/shop/web-1");
    assert_eq!(web.workload.identity().to_string(), "spiffe://cluster.local/ns/shop/sa/web");
    assert_eq!(
        web.workload.addresses,
        ["10.9.1.2".parse::<std::net::IpAddr>().unwrap(), "fd09:1::2".parse().unwrap()]
    );
    assert_eq!(web.netns.as_deref(), Some(Path::new("/run/netns/web-1")));
    assert_eq!(web.probe_ports, [8080]);
    assert_eq!((&*web.workload.canonical_name, &*web.workload.canonical_revision), ("web", "v1"));

    let legacy = &entry(&file, "legacy").workload;
    assert_eq!(
        (legacy.tunnel_protocol, &*legacy.service_account, legacy.capacity),
        (TunnelProtocol::None, "default", 1)
    );
    assert_eq!(
        (&*legacy.canonical_name, &*legacy.workload_name, legacy.workload_type),
        ("legacy", "legacy", WorkloadType::Pod)
    );
    assert_eq!(&*legacy.canonical_revision, "latest");
}

#[test]
fn endpoints_are_turned_around_into_the_workloads() {
    let file = sample();
    let key = ServiceKey::new("shop", "db.shop.svc.cluster.local");
    assert_eq!(file.services[0].key, key);
    assert_eq!(file.services[0].load_balancing.mode, LoadBalancingMode::Failover);
    assert_eq!(file.services[0].load_balancing.routing_preference, [Scope::Region, Scope::Zone]);
    let own = PortMapping { service_port: 9187, target_port: 19187, app_protocol: AppProtocol::Unknown };
    assert_eq!(entry(&file, "db-1").workload.services[&key], []);
    assert_eq!(entry(&file, "db-2").workload.services[&key], [own]);
    assert!(entry(&file, "web-1").workload.services.is_empty());
}

#[test]
fn the_nearest_level_of_peer_authentication_decides() {
    let file = sample();
    let mode = |name: &str, port| entry(&file, name).workload.peer_authentication.mode_of(port);
    assert_eq!(mode("web-1", 8080), MtlsMode::Strict);
    assert_eq!(mode("web-1", 8081), MtlsMode::Permissive);
    assert_eq!(mode("db-1", 8081), MtlsMode::Strict);
}

#[rstest]
#[case::nothing("[]", MtlsMode::Permissive)]
#[case::mesh("- {name: m, mode: STRICT}", MtlsMode::Strict)]
#[case::other_namespace("- {name: n, namespace: other, mode: STRICT}", MtlsMode::Permissive)]
#[case::namespace_over_mesh(
    "- {name: m, mode: STRICT}\n  - {name: n, namespace: shop, mode: PERMISSIVE}",
    MtlsMode::Permissive
)]
#[case::unset_inherits(
    "- {name: m, mode: STRICT}\n  - {name: n, namespace: shop, mode: UNSET}",
    MtlsMode::Strict
)]
#[case::no_mode_inherits(
    "- {name: m, mode: STRICT}\n  - {name: w, namespace: shop, workloads: [a]}",
    MtlsMode::Strict
)]
#[case::workload_over_namespace(
    "- {name: n, namespace: shop, mode: STRICT}\n  - {name: w, namespace: shop, workloads: [a], mode: DISABLE}",
    MtlsMode::Permissive
)]
#[case::by_uid("- {name: w, workloads: [Kubernetes//Pod/shop/a], mode: STRICT}", MtlsMode::Strict)]
#[case::by_full_name("- {name: w, workloads: [shop/a], mode: STRICT}", MtlsMode::Strict)]
fn levels(#[case] rules: &str, #[case] expected: MtlsMode) {
    let file = good(&format!(
        "workloads: [{{name: a, namespace: shop, addresses: [10.0.0.1]}}]\npeerAuthentication:\n  {rules}\n"
    ));
    assert_eq!(file.workloads[0].workload.peer_authentication.mode, expected);
}

#[test]
fn a_port_exception_may_have_a_bare_number_as_its_key() {
    let file = good(
        "workloads: [{name: a, namespace: shop, addresses: [10.0.0.1]}]\n\
         peerAuthentication: [{name: w, namespace: shop, workloads: [a], mode: STRICT, portLevelMtls: {8080: PERMISSIVE, 81: UNSET}}]",
    );
    let authentication = &file.workloads[0].workload.peer_authentication;
    assert_eq!(authentication.ports, [(8080, MtlsMode::Permissive)].into());
}

#[test]
fn virtual_addresses_short_and_long() {
    let file = good(
        "services: [{name: s, namespace: n, addresses: [10.1.0.1, 10.2.0.7/16, 'fd00::/64', {network: west, address: 10.3.0.1}]}]",
    );
    let service = &file.services[0];
    let vips: Vec<String> = service.vips.iter().map(|(network, ip)| format!("{network}/{ip}")).collect();
    let ranges: Vec<String> =
        service.cidr_vips.iter().map(|(network, net)| format!("{network}/{net}")).collect();
    assert_eq!(
        (vips, ranges),
        (vec!["/10.1.0.1".into(), "west/10.3.0.1".into()], vec!["/10.2.0.0/16".into(), "/fd00::/64".into()])
    );
    assert_eq!(&*service.key.hostname, "s.n.svc.cluster.local");
}

#[test]
fn a_target_port_that_is_not_said_is_the_service_port() {
    let file = good(
        "services: [{name: s, namespace: n, ports: [{servicePort: 80}, {servicePort: 81, targetPort: 0, appProtocol: HTTP2}]}]",
    );
    let ports: Vec<_> =
        file.services[0].ports.iter().map(|p| (p.service_port, p.target_port, p.app_protocol)).collect();
    assert_eq!(ports, [(80, 80, AppProtocol::Unknown), (81, 0, AppProtocol::Http2)]);
}

#[test]
fn an_explicitly_empty_mesh_is_a_mesh() {
    assert_eq!(good("workloads: []"), File::default());
}

#[test]
fn two_pods_may_have_one_address_if_it_is_the_nodes_or_of_another_network() {
    good(
        "workloads:\n- {name: a, namespace: n, addresses: [10.0.0.1], networkMode: HOST_NETWORK}\n- {name: b, namespace: n, addresses: [10.0.0.1], networkMode: HOST_NETWORK}\n- {name: c, namespace: n, addresses: [10.0.0.1]}\n- {name: d, namespace: n, addresses: [10.0.0.1], network: west}",
    );
}

#[test]
fn a_file_that_is_not_there_or_not_text_says_so() {
    let missing = load_file(Path::new("/nonexistent/mesh.yaml")).unwrap_err();
    assert!(matches!(missing, FileError::Read { .. }));
    assert!(missing.to_string().contains("/nonexistent/mesh.yaml"), "{missing}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mesh.yaml");
    std::fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    assert!(load_file(&path).unwrap_err().to_string().contains("not UTF-8"));
}

#[test]
fn a_mesh_of_ten_thousand_pods_is_within_the_limits() {
    let mut text = String::from("workloads:\n");
    for n in 0..10_000 {
        let (high, low) = (n / 250, n % 250 + 1);
        text += &format!(
            "- {{name: p{n}, namespace: n, serviceAccount: s, node: x, addresses: [10.0.{high}.{low}, 'fd00::{n:x}'], tunnelProtocol: HBONE, networkNamespace: /run/netns/p{n}, probePorts: [80], locality: {{region: r, zone: z}}}}\n"
        );
    }
    text += "services:\n- {name: s, namespace: n, addresses: [10.1.0.1], ports: [{servicePort: 80}], endpoints: [";
    text += &(0..10_000).map(|n| format!("p{n}")).collect::<Vec<_>>().join(", ");
    let file = good(&(text + "]}\n"));
    assert_eq!(file.workloads.len(), 10_000);
    assert!(file.workloads.iter().all(|entry| entry.workload.services.len() == 1));
}
