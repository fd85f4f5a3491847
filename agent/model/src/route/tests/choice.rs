//! Which endpoint of a service.

use std::collections::BTreeMap;

use std::sync::Arc;

use rstest::rstest;

use super::{Mesh, pod, say, serving, web};
use crate::LoadBalancingMode::{Failover, Strict, Unspecified};
use crate::Scope::{Cluster, Network, Node, Region, Zone};
use crate::*;

const VIP: &str = "10.1.0.1:80";

fn place(workload: Workload, region: &str, zone: &str, node: &str) -> Workload {
    let locality = Locality { region: region.into(), zone: zone.into(), subzone: "".into() };
    Workload { locality: locality.into(), node: node.into(), ..workload }
}

/// A client in eu/1 on node a, and three endpoints, farther to nearer.
fn spread(balancing: LoadBalancing) -> Mesh {
    let endpoint = |name: &str, ip: &str| serving(pod(name, &[ip]));
    let mut mesh = Mesh::new();
    mesh.client = place(mesh.client, "eu", "1", "a");
    mesh.service(Service { load_balancing: balancing, ..web(&["10.1.0.1"]) })
        .pod(place(endpoint("far", "10.0.0.4"), "us", "1", "c"))
        .pod(place(endpoint("near", "10.0.0.3"), "eu", "2", "b"))
        .pod(place(endpoint("here", "10.0.0.2"), "eu", "1", "a"))
}

/// Everybody who can be chosen, with how many of the possible draws they get.
fn shares(mesh: &Mesh) -> BTreeMap<String, u64> {
    let mut total = 1;
    mesh.go_with(VIP, &mut |n| {
        total = n;
        0
    });
    let mut shares = BTreeMap::new();
    for point in 0..total {
        let said = say(&mesh.go_with(VIP, &mut |_| point));
        *shares.entry(said.split(' ').nth(1).unwrap().to_owned()).or_default() += 1;
    }
    shares
}

fn names(mesh: &Mesh) -> Vec<String> {
    shares(mesh).into_keys().collect()
}

#[rstest]
#[case::all_equal(Unspecified, &[Region], &["far", "here", "near"])]
#[case::failover_nearest(Failover, &[Region, Zone, Node], &["here"])]
#[case::failover_one_scope(Failover, &[Region], &["here", "near"])]
#[case::failover_no_scope(Failover, &[], &["far", "here", "near"])]
#[case::failover_network_first(Failover, &[Network, Region, Zone], &["here"])]
#[case::strict_node(Strict, &[Node], &["here"])]
#[case::strict_region(Strict, &[Region], &["here", "near"])]
#[case::strict_cluster(Strict, &[Cluster], &["far", "here", "near"])]
#[case::a_zone_of_another_region_is_another_zone(Strict, &[Zone], &["here"])]
fn locality(#[case] mode: LoadBalancingMode, #[case] scopes: &[Scope], #[case] expected: &[&str]) {
    let balancing = LoadBalancing { mode, routing_preference: scopes.to_vec(), ..LoadBalancing::default() };
    assert_eq!(names(&spread(balancing)), expected);
}

#[rstest]
#[case::next_zone(&["here"], &["near"])]
#[case::next_region(&["here", "near"], &["far"])]
fn failover_goes_on_when_the_nearer_are_sick(#[case] sick: &[&str], #[case] expected: &[&str]) {
    let balancing =
        LoadBalancing { mode: Failover, routing_preference: vec![Region, Zone], ..LoadBalancing::default() };
    let mut mesh = spread(balancing);
    for name in sick {
        let workload = mesh.dir.workload(&format!("Kubernetes//Pod/shop/{name}")).unwrap();
        let sick = Workload { status: Health::Unhealthy, ..Workload::clone(workload) };
        mesh.dir.upsert_workload(sick);
    }
    assert_eq!(names(&mesh), expected);
}

#[test]
fn strict_without_a_match_is_refused() {
    let mut mesh =
        spread(LoadBalancing { mode: Strict, routing_preference: vec![Node], ..LoadBalancing::default() });
    mesh.client.node = "z".into();
    assert_eq!(
        say(&mesh.go(VIP)),
        "no healthy upstream: service shop/web.shop port 80 has 3 endpoints, none can be used from here"
    );
}

#[test]
fn capacity_is_weight_and_zero_is_nothing() {
    let endpoint = |name: &str, ip: &str, capacity| Workload { capacity, ..serving(pod(name, &[ip])) };
    let mesh = Mesh::new()
        .service(web(&["10.1.0.1"]))
        .pod(endpoint("one", "10.0.0.2", 1))
        .pod(endpoint("none", "10.0.0.3", 0))
        .pod(endpoint("five", "10.0.0.4", 5));
    assert_eq!(shares(&mesh), [("five".to_owned(), 5), ("one".to_owned(), 1)].into());
}

#[test]
fn huge_capacities_do_not_overflow() {
    let endpoint = |name: &str, ip: &str| Workload { capacity: u32::MAX, ..serving(pod(name, &[ip])) };
    let mesh =
        Mesh::new().service(web(&["10.1.0.1"])).pod(endpoint("a", "10.0.0.2")).pod(endpoint("b", "10.0.0.3"));
    assert_eq!(say(&mesh.go_with(VIP, &mut |n| n - 1)), "tunnel b 10.0.0.3:8080");
}

#[test]
fn a_draw_out_of_range_is_still_an_endpoint() {
    let mesh = spread(LoadBalancing::default());
    assert!(say(&mesh.go_with(VIP, &mut |_| u64::MAX)).starts_with("tunnel"));
}

#[rstest]
#[case::only_healthy(HealthPolicy::OnlyHealthy, &["well"])]
#[case::allow_all(HealthPolicy::AllowAll, &["sick", "well"])]
fn health(#[case] health_policy: HealthPolicy, #[case] expected: &[&str]) {
    let load_balancing = LoadBalancing { health_policy, ..LoadBalancing::default() };
    let mesh = Mesh::new()
        .service(Service { load_balancing, ..web(&["10.1.0.1"]) })
        .pod(serving(pod("well", &["10.0.0.2"])))
        .pod(Workload { status: Health::Unhealthy, ..serving(pod("sick", &["10.0.0.3"])) });
    assert_eq!(names(&mesh), expected);
}

#[rstest]
#[case::same_family(IpFamilies::Automatic, "10.1.0.1:80", "10.0.0.2:8080")]
#[case::same_family_v6(IpFamilies::Dual, "[fd01::1]:80", "[fd00::2]:8080")]
#[case::v4_only(IpFamilies::Ipv4Only, "[fd01::1]:80", "10.0.0.2:8080")]
#[case::v6_only(IpFamilies::Ipv6Only, "10.1.0.1:80", "[fd00::2]:8080")]
fn address_family(#[case] ip_families: IpFamilies, #[case] dst: &str, #[case] expected: &str) {
    let service = Service { ip_families, ..web(&["10.1.0.1", "fd01::1"]) };
    let mesh = Mesh::new().service(service).pod(serving(pod("server", &["fd00::2", "10.0.0.2"])));
    assert_eq!(say(&mesh.go(dst)), format!("tunnel server {expected}"));
}

#[test]
fn an_endpoint_of_the_other_family_is_better_than_none_unless_forbidden() {
    let mesh = |ip_families| {
        Mesh::new()
            .service(Service { ip_families, ..web(&["10.1.0.1"]) })
            .pod(serving(pod("six", &["fd00::2"])))
    };
    assert_eq!(say(&mesh(IpFamilies::Automatic).go(VIP)), "tunnel six [fd00::2]:8080");
    assert!(say(&mesh(IpFamilies::Ipv4Only).go(VIP)).starts_with("no healthy upstream"));
}

#[test]
fn a_host_network_endpoint_is_found_through_its_service() {
    let host = Workload {
        network_mode: NetworkMode::HostNetwork,
        tunnel_protocol: TunnelProtocol::None,
        ..serving(pod("host", &["10.9.9.9"]))
    };
    let mesh = Mesh::new().service(web(&["10.1.0.1"])).pod(host);
    assert_eq!(say(&mesh.go(VIP)), "direct host 10.9.9.9:8080");
}

#[test]
fn a_named_port_that_an_endpoint_does_not_have_rules_it_out() {
    let own = PortMapping { service_port: 90, target_port: 9090, app_protocol: AppProtocol::Unknown };
    let with =
        Workload { services: Arc::new([(super::key(), vec![own])].into()), ..pod("with", &["10.0.0.3"]) };
    let mesh = Mesh::new().service(web(&["10.1.0.1"])).pod(serving(pod("without", &["10.0.0.2"]))).pod(with);
    assert_eq!(say(&mesh.go("10.1.0.1:90")), "tunnel with 10.0.0.3:9090");
}

#[test]
fn endpoints_out_of_reach_are_named_only_when_nothing_else_is_left() {
    let far = Workload { network: "west".into(), ..serving(pod("far", &["10.0.0.2"])) };
    let name = Workload { hostname: "db.example.org".into(), ..serving(pod("name", &[])) };
    let with = |extra: &Workload| Mesh::new().service(web(&["10.1.0.1"])).pod(extra.clone());
    assert!(matches!(with(&far).go(VIP), Route::Refuse(Refusal::RemoteNetworkNotYet { .. })));
    assert!(matches!(with(&name).go(VIP), Route::Refuse(Refusal::HostnameNotYet { .. })));
    assert!(matches!(
        with(&serving(pod("bare", &[]))).go(VIP),
        Route::Refuse(Refusal::NoHealthyEndpoint { .. })
    ));
    let mesh = with(&far).pod(name).pod(serving(pod("near", &["10.0.0.3"])));
    assert_eq!(names(&mesh), ["near"]);
}

#[test]
fn a_service_without_endpoints_says_so() {
    let mesh = Mesh::new().service(web(&["10.1.0.1"]));
    assert!(say(&mesh.go(VIP)).contains("has 0 endpoints"));
}
