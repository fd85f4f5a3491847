//! Tables for what follows from a pod's addresses.

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn address(text: &str) -> Address {
    let ip = ip(text);
    let link_local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    Address { ip, usable: true, global: !link_local && !ip.is_loopback() }
}

fn interface(name: &str, addresses: &[&str]) -> Interface {
    Interface {
        name: name.into(),
        loopback: name == "lo",
        up: true,
        addresses: addresses.iter().map(|a| address(a)).collect(),
    }
}

fn pod() -> Snapshot {
    Snapshot {
        interfaces: [
            (1, interface("lo", &["127.0.0.1", "::1", "10.9.9.9"])),
            (2, interface("eth0", &["10.0.0.1", "10.0.0.2", "fd00::1", "fe80::1"])),
            (5, interface("eth1", &["192.168.7.1", "fe80::2"])),
            (6, interface("tunl0", &[])),
        ]
        .into(),
    }
}

#[test]
fn own_is_everything_but_loopback() {
    let expected = ["10.9.9.9", "10.0.0.1", "10.0.0.2", "fd00::1", "fe80::1", "192.168.7.1", "fe80::2"];
    assert_eq!(pod().own(), expected.iter().map(|a| ip(a)).collect());
}

#[test]
fn only_interfaces_that_are_up_and_have_an_address_are_captured() {
    let mut pod = pod();
    assert_eq!(pod.captured().keys().copied().collect::<Vec<_>>(), [2, 5]);
    pod.interfaces.get_mut(&5).unwrap().up = false;
    assert_eq!(pod.captured().keys().copied().collect::<Vec<_>>(), [2]);
}

#[test]
fn the_primary_is_the_declared_address_that_is_there() {
    for (declared, family, primary) in [
        (&["10.0.0.2", "10.0.0.1"][..], Family::V4, Some("10.0.0.2")),
        (&["10.1.1.1"][..], Family::V4, Some("10.9.9.9")),
        (&["10.0.0.1"][..], Family::V6, Some("fd00::1")),
    ] {
        let declared: Vec<IpAddr> = declared.iter().map(|a| ip(a)).collect();
        assert_eq!(pod().primary(&declared, family), primary.map(ip), "{declared:?} {family:?}");
    }
}

#[test]
fn each_interface_has_a_route_with_its_own_source() {
    let mut numbers = InterfaceNumbers::default();
    for index in [2, 5] {
        numbers.assign(index, 8).unwrap();
    }
    let local = |interface, source| RouteKind::Local { interface, source: ip(source) };
    let declared = [ip("10.0.0.1")];
    assert_eq!(
        pod().routes(&declared, Family::V4, &numbers),
        [
            LocalRoute { family: Family::V4, kind: local(1, "10.0.0.1"), metric: 100 },
            LocalRoute { family: Family::V4, kind: local(2, "10.0.0.1"), metric: 200 },
            LocalRoute { family: Family::V4, kind: local(5, "192.168.7.1"), metric: 201 },
        ]
    );
    assert_eq!(
        pod().routes(&declared, Family::V6, &numbers),
        [
            LocalRoute { family: Family::V6, kind: local(1, "fd00::1"), metric: 100 },
            LocalRoute { family: Family::V6, kind: local(2, "fd00::1"), metric: 200 },
        ],
        "eth1 has only a link-local address: not a source for the world"
    );
}

#[test]
fn a_family_without_an_address_is_unreachable() {
    let mut pod = pod();
    for interface in pod.interfaces.values_mut() {
        interface.addresses.retain(|a| a.ip.is_ipv4());
    }
    let unreachable =
        LocalRoute { family: Family::V6, kind: RouteKind::Unreachable, metric: METRIC_UNREACHABLE };
    assert_eq!(pod.routes(&[], Family::V6, &InterfaceNumbers::default()), [unreachable]);
}

#[test]
fn an_address_under_duplicate_detection_is_own_but_not_a_source() {
    let mut pod = pod();
    for address in &mut pod.interfaces.get_mut(&2).unwrap().addresses {
        address.usable = address.ip.is_ipv4();
    }
    assert!(pod.own().contains(&ip("fd00::1")));
    assert_eq!(pod.primary(&[ip("fd00::1")], Family::V6), None);
}

#[test]
fn interface_numbers_are_stable_and_reused() {
    let mut numbers = InterfaceNumbers::default();
    assert_eq!(numbers.assign(7, 3), Some(0));
    assert_eq!(numbers.assign(9, 3), Some(1));
    assert_eq!(numbers.assign(7, 3), Some(0));
    numbers.release(7);
    assert_eq!(numbers.assign(9, 3), Some(1));
    assert_eq!(numbers.assign(11, 3), Some(0));
    assert_eq!(numbers.assign(12, 3), Some(2));
    assert_eq!(numbers.assign(13, 3), None);
    assert_eq!(numbers.indexes(), [9, 11, 12]);
}
