//! Addresses for service entries that have none.

use std::net::IpAddr;

use rstest::rstest;
use weir_resources::Kind;

use super::Mesh;
use crate::Config;

fn entry(name: &str, spec: &str, status: &str) -> String {
    format!(
        "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: shop}}
spec: {{hosts: [{name}.example.com], ports: [{{number: 80, name: http, protocol: HTTP}}], {spec}}}
status: {{addresses: [{status}]}}
---
"
    )
}

fn vips(mesh: &Mesh, name: &str) -> Vec<String> {
    mesh.service(&format!("shop/{name}.example.com"))
        .unwrap()
        .vips
        .iter()
        .map(|(_, ip)| ip.to_string())
        .collect()
}

#[test]
fn a_host_gets_the_same_two_addresses_everywhere() {
    let [mut a, mut b] = [Mesh::new(), Mesh::new()];
    let changes = a.apply(&entry("x", "resolution: DNS", ""));
    b.apply(&entry("y", "resolution: DNS", ""));
    b.apply(&entry("x", "resolution: DNS", ""));
    let addresses = vips(&a, "x");
    assert_eq!(addresses, vips(&b, "x"));
    assert!(addresses[0].starts_with("240.240.") && addresses[1].starts_with("2001:2::"), "{addresses:?}");
    let told = changes.statuses[0].addresses.as_ref().unwrap();
    assert_eq!(
        told.iter().map(|(host, ip)| format!("{host} {ip}")).collect::<Vec<_>>(),
        [format!("x.example.com {}", addresses[0]), format!("x.example.com {}", addresses[1])]
    );
    let status = format!(
        "{{host: x.example.com, value: {}}}, {{host: x.example.com, value: '{}'}}",
        addresses[0], addresses[1]
    );
    let mut changes = a.apply(&entry("x", "resolution: DNS", &status));
    assert!(changes.addresses.is_empty(), "what was written is what it is");
    assert_eq!(changes.statuses.remove(0).addresses, None);
}

#[test]
fn what_a_status_says_stays() {
    let mut mesh = Mesh::new();
    let status = "{host: x.example.com, value: 240.240.7.7}, {value: '2001:2::7'}";
    mesh.apply(&entry("x", "resolution: DNS", status));
    assert_eq!(vips(&mesh, "x"), ["240.240.7.7", "2001:2::7"]);
}

#[test]
fn a_written_address_goes_before_one_made_up_here() {
    let mut mesh = Mesh::new();
    mesh.apply(&entry("x", "resolution: DNS", ""));
    let taken = vips(&mesh, "x")[0].clone();
    mesh.apply(&entry("y", "resolution: DNS", &format!("{{host: y.example.com, value: {taken}}}")));
    assert_eq!(vips(&mesh, "y")[0], taken);
    assert_ne!(vips(&mesh, "x")[0], taken);
    assert_eq!(mesh.index.snapshot().names(&format!("/{taken}")).len(), 1);
    mesh.delete(Kind::ServiceEntry, "shop", "y");
    mesh.apply(&entry("z", "resolution: DNS", &format!("{{host: z.example.com, value: {taken}}}")));
    assert_eq!(vips(&mesh, "z")[0], taken, "free again");
}

#[test]
fn two_written_alike_are_told_apart() {
    let mut mesh = Mesh::new();
    for name in ["x", "y"] {
        mesh.apply(&entry(
            name,
            "resolution: DNS",
            &format!("{{host: {name}.example.com, value: 240.240.7.7}}"),
        ));
    }
    assert_eq!(vips(&mesh, "x")[0], "240.240.7.7");
    assert_ne!(vips(&mesh, "y")[0], "240.240.7.7");
}

#[test]
fn many_hosts_have_many_addresses() {
    let mut mesh = Mesh::new();
    let all: String = (0..2000).map(|n| entry(&format!("e{n}"), "resolution: DNS", "")).collect();
    mesh.apply(&all);
    let distinct: std::collections::BTreeSet<_> =
        (0..2000).flat_map(|n| vips(&mesh, &format!("e{n}"))).collect();
    assert_eq!(distinct.len(), 4000);
    assert!(distinct.iter().all(|ip| ip.parse::<IpAddr>().is_ok()));
}

#[rstest]
#[case::its_own("resolution: DNS, addresses: [10.9.9.9]", &["10.9.9.9"])]
#[case::as_dialled("resolution: NONE", &[])]
fn who_gets_none(#[case] spec: &str, #[case] expected: &[&str]) {
    let mut mesh = Mesh::new();
    mesh.apply(&entry("x", spec, ""));
    assert_eq!(vips(&mesh, "x"), expected);
    assert!(mesh.index.statuses().iter().all(|update| update.addresses.is_none()));
}

#[test]
fn a_label_or_the_configuration_can_say_no() {
    let mut mesh = Mesh::new();
    let labelled = entry("x", "resolution: DNS", "").replace(
        "namespace: shop",
        "namespace: shop, labels: {networking.istio.io/enable-autoallocate-ip: 'false'}",
    );
    mesh.apply(&labelled);
    assert!(vips(&mesh, "x").is_empty());
    let mut mesh = Mesh::with(Config { allocate_addresses: false, ..Config::default() });
    mesh.apply(&entry("x", "resolution: DNS", "{host: x.example.com, value: 240.240.1.1}"));
    assert_eq!(vips(&mesh, "x"), ["240.240.1.1"], "another controller's");
}
