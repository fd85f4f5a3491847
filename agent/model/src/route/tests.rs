//! The outbound decision, case by case.

use std::net::SocketAddr;

use std::sync::Arc;

use rstest::rstest;

use crate::*;

mod choice;
mod left_out;
mod waypoint;

/// A small mesh: `client` calls.
pub(super) struct Mesh {
    pub(super) dir: Directory,
    pub(super) client: Workload,
    /// uids of those that failed.
    pub(super) left_out: Ejected,
}

impl Mesh {
    pub(super) fn new() -> Self {
        let client = pod("client", &["10.0.0.1", "fd00::1"]);
        let mut dir = Directory::new();
        dir.upsert_workload(client.clone());
        Self { dir, client, left_out: Ejected::default() }
    }

    pub(super) fn pod(mut self, workload: Workload) -> Self {
        self.dir.upsert_workload(workload);
        self
    }

    pub(super) fn service(mut self, service: Service) -> Self {
        self.dir.upsert_service(service);
        self
    }

    /// Where a connection goes if the first possible choice is taken.
    pub(super) fn go(&self, dst: &str) -> Route {
        self.go_with(dst, &mut |_| 0)
    }

    pub(super) fn go_with(&self, dst: &str, pick: &mut dyn FnMut(u64) -> u64) -> Route {
        route(&self.dir, &self.client, dst.parse().unwrap(), pick, &|_, _| self.left_out.clone())
    }
}

pub(super) fn pod(name: &str, addresses: &[&str]) -> Workload {
    let addresses = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
    Workload {
        addresses,
        tunnel_protocol: TunnelProtocol::Hbone,
        service_account: name.into(),
        ..Workload::pod("shop", name)
    }
}

pub(super) fn key() -> ServiceKey {
    ServiceKey::new("shop", "web.shop")
}

/// Port 80 to 8080; port 90 by the endpoints' own tables.
pub(super) fn web(vips: &[&str]) -> Service {
    let port = |service_port, target_port| PortMapping {
        service_port,
        target_port,
        app_protocol: AppProtocol::Unknown,
    };
    let vips = vips.iter().map(|ip| ("".into(), ip.parse().unwrap())).collect();
    Service { vips, ports: vec![port(80, 8080), port(90, 0)], ..Service::new(key()) }
}

pub(super) fn serving(workload: Workload) -> Workload {
    Workload { services: Arc::new([(key(), Vec::new())].into()), ..workload }
}

/// `tunnel NAME ADDR`, `waypoint NAME at ADDR for ADDR`, `direct NAME ADDR`, `pass ADDR`, or the text of the refusal.
pub(super) fn say(route: &Route) -> String {
    match route {
        Route::Tunnel { workload, addr, gateway: Some(gateway), .. } => {
            format!("waypoint {} at {gateway} for {addr}", workload.name)
        }
        Route::Tunnel { workload, addr, .. } => format!("tunnel {} {addr}", workload.name),
        Route::Direct { workload, addr, .. } => format!("direct {} {addr}", workload.name),
        Route::PassThrough { addr, .. } => format!("pass {addr}"),
        Route::Refuse(refusal) => refusal.to_string(),
    }
}

#[rstest]
#[case::unknown("192.0.2.1:443", "pass 192.0.2.1:443")]
#[case::unknown_mapped("[::ffff:192.0.2.1]:443", "pass 192.0.2.1:443")]
#[case::unknown_v6("[2001:db8::1]:443", "pass [2001:db8::1]:443")]
#[case::pod("10.0.0.2:8080", "tunnel server 10.0.0.2:8080")]
#[case::pod_mapped("[::ffff:10.0.0.2]:8080", "tunnel server 10.0.0.2:8080")]
#[case::pod_v6("[fd00::2]:8080", "tunnel server [fd00::2]:8080")]
#[case::any_port_of_a_pod("10.0.0.2:1", "tunnel server 10.0.0.2:1")]
#[case::own_address("10.0.0.1:80", "tunnel client 10.0.0.1:80")]
#[case::outside_the_mesh("10.0.0.3:80", "direct legacy 10.0.0.3:80")]
#[case::unhealthy_by_address("10.0.0.4:80", "tunnel sick 10.0.0.4:80")]
#[case::host_network("10.0.0.5:80", "pass 10.0.0.5:80")]
#[case::other_network("10.0.0.6:80", "pass 10.0.0.6:80")]
fn by_address(#[case] dst: &str, #[case] expected: &str) {
    let mesh = Mesh::new()
        .pod(pod("server", &["10.0.0.2", "fd00::2"]))
        .pod(Workload { tunnel_protocol: TunnelProtocol::None, ..pod("legacy", &["10.0.0.3"]) })
        .pod(Workload { status: Health::Unhealthy, ..pod("sick", &["10.0.0.4"]) })
        .pod(Workload { network_mode: NetworkMode::HostNetwork, ..pod("host", &["10.0.0.5"]) })
        .pod(Workload { network: "west".into(), ..pod("far", &["10.0.0.6"]) });
    assert_eq!(say(&mesh.go(dst)), expected);
}

#[rstest]
#[case::port("10.1.0.1:80", "tunnel server 10.0.0.2:8080")]
#[case::mapped("[::ffff:10.1.0.1]:80", "tunnel server 10.0.0.2:8080")]
#[case::v6_to_v6("[fd01::1]:80", "tunnel server [fd00::2]:8080")]
#[case::endpoints_own_port("10.1.0.1:90", "tunnel server 10.0.0.2:9090")]
#[case::no_port("10.1.0.1:81", "service shop/web.shop has no port 81")]
#[case::not_the_vip("10.1.0.2:80", "pass 10.1.0.2:80")]
fn by_service(#[case] dst: &str, #[case] expected: &str) {
    let own = PortMapping { service_port: 90, target_port: 9090, app_protocol: AppProtocol::Unknown };
    let server = Workload {
        services: Arc::new([(key(), vec![own])].into()),
        ..pod("server", &["10.0.0.2", "fd00::2"])
    };
    let mesh = Mesh::new().service(web(&["10.1.0.1", "fd01::1"])).pod(server);
    assert_eq!(say(&mesh.go(dst)), expected);
}

#[test]
fn a_service_may_come_before_or_after_its_endpoints() {
    let server = serving(pod("server", &["10.0.0.2"]));
    let (a, b) = (
        Mesh::new().pod(server.clone()).service(web(&["10.1.0.1"])),
        Mesh::new().service(web(&["10.1.0.1"])).pod(server),
    );
    assert_eq!(a.go("10.1.0.1:80"), b.go("10.1.0.1:80"));
    assert_eq!(say(&a.go("10.1.0.1:80")), "tunnel server 10.0.0.2:8080");
}

#[test]
fn passthrough_goes_to_the_original_destination() {
    let balancing = LoadBalancing { mode: LoadBalancingMode::Passthrough, ..LoadBalancing::default() };
    let mesh = Mesh::new()
        .service(Service { load_balancing: balancing, ..web(&["10.1.0.1"]) })
        .pod(serving(pod("server", &["10.0.0.2"])));
    assert_eq!(say(&mesh.go("10.1.0.1:81")), "pass 10.1.0.1:81");
}

#[test]
fn a_pod_address_comes_before_a_virtual_one() {
    let mesh = Mesh::new().service(web(&["10.0.0.2"])).pod(pod("server", &["10.0.0.2"]));
    assert_eq!(say(&mesh.go("10.0.0.2:80")), "tunnel server 10.0.0.2:80");
}

#[test]
fn a_client_may_be_its_own_endpoint() {
    let mesh = Mesh::new().service(web(&["10.1.0.1"])).pod(serving(pod("client", &["10.0.0.1"])));
    assert_eq!(say(&mesh.go("10.1.0.1:80")), "tunnel client 10.0.0.1:8080");
}

#[test]
fn a_service_of_plaintext_endpoints_is_direct() {
    let legacy = Workload { tunnel_protocol: TunnelProtocol::None, ..serving(pod("legacy", &["10.0.0.3"])) };
    let route = Mesh::new().service(web(&["10.1.0.1"])).pod(legacy).go("10.1.0.1:80");
    assert!(matches!(&route, Route::Direct { service: Some(s), .. } if s.key == key()), "{route:?}");
    assert_eq!(say(&route), "direct legacy 10.0.0.3:8080");
}

#[test]
fn the_far_end_may_prove_the_workload_or_a_name_of_the_service() {
    let names = ["spiffe://cluster.local/ns/shop/sa/extra", "spiffe://cluster.local/ns/shop/sa/server"];
    let names = names.iter().map(|n| n.parse().unwrap()).collect();
    let mesh = Mesh::new()
        .service(Service { subject_alt_names: names, ..web(&["10.1.0.1"]) })
        .pod(serving(pod("server", &["10.0.0.2"])));
    let expected = |dst: &str| match mesh.go(dst) {
        Route::Tunnel { expected, .. } => {
            expected.iter().map(|id| id.service_account().to_owned()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(expected("10.1.0.1:80"), ["server", "extra"]);
    assert_eq!(expected("10.0.0.2:80"), ["server"], "the service was not dialled");
}

/// Which of several services with one address: a client of `shop`, then of `other`.
#[rstest]
#[case::own_namespace_first(&[("shop", false, Visibility::Public), ("zoo", true, Visibility::Public)], "shop", "zoo")]
#[case::then_canonical(&[("a", false, Visibility::Public), ("zoo", true, Visibility::Public)], "zoo", "zoo")]
#[case::then_lowest_key(&[("b", false, Visibility::Public), ("a", false, Visibility::Public)], "a", "a")]
#[case::invisible(&[("shop", true, Visibility::Namespace), ("zoo", false, Visibility::Public)], "shop", "zoo")]
#[case::invisible_alone(&[("shop", true, Visibility::Namespace)], "shop", "")]
fn vip_collision(#[case] services: &[(&str, bool, Visibility)], #[case] shop: &str, #[case] other: &str) {
    let vip: SocketAddr = "10.1.0.1:80".parse().unwrap();
    for reversed in [false, true] {
        let mut dir = Directory::new();
        let mut order: Vec<_> = services.iter().collect();
        if reversed {
            order.reverse();
        }
        for (namespace, canonical, visibility) in order {
            let service = Service { canonical: *canonical, visibility: *visibility, ..web(&["10.1.0.1"]) };
            dir.upsert_service(Service { key: ServiceKey::new(namespace, "web"), ..service });
        }
        let found = |from| dir.service_by_vip("", vip.ip(), from).map_or("", |s| &s.key.namespace).to_owned();
        assert_eq!((&*found("shop"), &*found("other")), (shop, other));
    }
}

#[test]
fn ranges_come_after_addresses_and_the_longest_wins() {
    let service = |name: &str, vips: &[&str], ranges: &[&str], visibility| {
        let cidr_vips = ranges.iter().map(|net| ("".into(), net.parse().unwrap())).collect();
        Service { key: ServiceKey::new("zoo", name), cidr_vips, visibility, ..web(vips) }
    };
    let mesh = Mesh::new()
        .service(service("wide", &[], &["10.0.0.0/8", "fd00::/8"], Visibility::Public))
        .service(service("narrow", &[], &["10.1.0.0/16"], Visibility::Public))
        .service(service("hidden", &[], &["10.1.1.0/24"], Visibility::Namespace))
        .service(service("exact", &["10.1.1.1"], &[], Visibility::Public));
    let found = |ip: &str| {
        mesh.dir.service_by_vip("", ip.parse().unwrap(), "shop").map_or("none", |s| &s.key.hostname)
    };
    assert_eq!(
        ["10.1.1.1", "10.1.1.2", "10.2.0.1", "fd01::1", "11.0.0.1", "2001::1"].map(found),
        ["exact", "narrow", "wide", "wide", "none", "none"]
    );
}
