//! Destinations that have a waypoint.

use rstest::rstest;

use super::*;

fn waypoint_key() -> ServiceKey {
    ServiceKey::new("shop", "wp.shop")
}

fn named(hostname: &str) -> GatewayAddress {
    GatewayAddress {
        destination: GatewayDestination::Hostname(ServiceKey::new("shop", hostname)),
        hbone_mtls_port: 15008,
    }
}

fn at(ip: &str) -> GatewayAddress {
    let destination = GatewayDestination::Address { network: "".into(), ip: ip.parse().unwrap() };
    GatewayAddress { destination, hbone_mtls_port: 15008 }
}

fn waypoint_service(target_port: u16) -> Service {
    let port = PortMapping { service_port: 15008, target_port, app_protocol: AppProtocol::Unknown };
    let vips = vec![("".into(), "10.1.0.9".parse().unwrap())];
    let subject_alt_names = vec!["spiffe://cluster.local/ns/shop/sa/wp-of-old".parse().unwrap()];
    Service { vips, ports: vec![port], subject_alt_names, ..Service::new(waypoint_key()) }
}

fn waypoint_pod(name: &str, ip: &str) -> Workload {
    Workload { services: Arc::new([(waypoint_key(), Vec::new())].into()), ..pod(name, &[ip]) }
}

/// `server` behind a service at 10.1.0.1, and a waypoint of two pods.
fn mesh(service: Service, server: Workload) -> Mesh {
    Mesh::new()
        .service(service)
        .pod(serving(server))
        .service(waypoint_service(15008))
        .pod(waypoint_pod("wp-1", "10.0.0.8"))
}

fn service_behind(gateway: GatewayAddress) -> Service {
    Service { waypoint: Some(gateway), ..web(&["10.1.0.1"]) }
}

fn pod_behind(gateway: GatewayAddress) -> Workload {
    Workload { waypoint: Some(Box::new(gateway)), ..pod("server", &["10.0.0.2"]) }
}

#[rstest]
#[case::by_name(named("wp.shop"))]
#[case::by_the_address_of_its_service(at("10.1.0.9"))]
#[case::by_the_address_of_a_pod(at("10.0.0.8"))]
fn a_service_is_reached_through_its_waypoint(#[case] gateway: GatewayAddress) {
    let mesh = mesh(service_behind(gateway), pod("server", &["10.0.0.2"]));
    // What was dialled, not translated: the waypoint knows the service by it.
    assert_eq!(say(&mesh.go("10.1.0.1:80")), "waypoint wp-1 at 10.0.0.8:15008 for 10.1.0.1:80");
    assert_eq!(say(&mesh.go("10.1.0.1:4711")), "waypoint wp-1 at 10.0.0.8:15008 for 10.1.0.1:4711");
    assert_eq!(say(&mesh.go("10.0.0.2:8080")), "tunnel server 10.0.0.2:8080", "the pod itself has none");
    let Route::Tunnel { service: Some(service), .. } = mesh.go("10.1.0.1:80") else { panic!() };
    assert_eq!(service.key, key(), "for the log: the service that was dialled");
}

#[test]
fn a_workload_is_reached_through_its_waypoint_by_its_own_address_only() {
    let mesh = mesh(web(&["10.1.0.1"]), pod_behind(named("wp.shop")));
    assert_eq!(say(&mesh.go("10.0.0.2:8080")), "waypoint wp-1 at 10.0.0.8:15008 for 10.0.0.2:8080");
    assert_eq!(say(&mesh.go("10.1.0.1:80")), "tunnel server 10.0.0.2:8080");
}

#[test]
fn the_waypoint_must_prove_who_it_is() {
    let mesh = mesh(service_behind(named("wp.shop")), pod("server", &["10.0.0.2"]));
    let Route::Tunnel { expected, .. } = mesh.go("10.1.0.1:80") else { panic!() };
    let expected: Vec<String> = expected.iter().map(Identity::to_string).collect();
    assert_eq!(
        expected,
        ["spiffe://cluster.local/ns/shop/sa/wp-1", "spiffe://cluster.local/ns/shop/sa/wp-of-old"]
    );
}

#[test]
fn its_port_may_be_another_one_on_its_pods() {
    let mesh = Mesh::new()
        .service(service_behind(named("wp.shop")))
        .service(waypoint_service(25008))
        .pod(waypoint_pod("wp-1", "10.0.0.8"));
    assert_eq!(say(&mesh.go("10.1.0.1:80")), "waypoint wp-1 at 10.0.0.8:25008 for 10.1.0.1:80");
}

#[rstest]
#[case::unknown_name(
    named("gone.shop"),
    "shop/web.shop has waypoint shop/gone.shop, which is not known: nothing goes around it"
)]
#[case::unknown_address(
    at("10.9.9.9"),
    "shop/web.shop has waypoint 10.9.9.9, which is not known: nothing goes around it"
)]
#[case::no_pods(
    named("empty.shop"),
    "waypoint of shop/web.shop: no healthy upstream: service shop/empty.shop port 15008 has 0 endpoints, none can be used from here"
)]
#[case::no_such_port(
    GatewayAddress { hbone_mtls_port: 15009, ..named("wp.shop") },
    "waypoint of shop/web.shop: service shop/wp.shop has no port 15009"
)]
fn nothing_goes_around_a_waypoint_that_is_not_there(#[case] gateway: GatewayAddress, #[case] reason: &str) {
    let empty =
        Service { key: ServiceKey::new("shop", "empty.shop"), vips: Vec::new(), ..waypoint_service(15008) };
    let mesh = mesh(service_behind(gateway), pod("server", &["10.0.0.2"])).service(empty);
    let route = mesh.go("10.1.0.1:80");
    assert!(matches!(route, Route::Refuse(_)));
    assert_eq!(say(&route), reason);
}

#[rstest]
#[case::by_name(named("wp.shop"))]
#[case::by_the_address_of_its_service(at("10.1.0.9"))]
#[case::by_the_address_of_a_pod(at("10.0.0.8"))]
fn a_waypoint_does_not_go_through_itself(#[case] gateway: GatewayAddress) {
    for (service, server, dst) in [
        (service_behind(gateway.clone()), pod("server", &["10.0.0.2"]), "10.1.0.1:80"),
        (web(&["10.1.0.1"]), pod_behind(gateway.clone()), "10.0.0.2:8080"),
    ] {
        let mut mesh = mesh(service, server);
        mesh.client = waypoint_pod("wp-1", "10.0.0.8");
        assert_eq!(say(&mesh.go(dst)), "tunnel server 10.0.0.2:8080");
    }
}

#[test]
fn a_canary_takes_its_share() {
    let canary =
        Service { key: ServiceKey::new("shop", "new.shop"), vips: Vec::new(), ..waypoint_service(15008) };
    let pod = Workload {
        services: Arc::new([(canary.key.clone(), Vec::new())].into()),
        ..pod("new", &["10.0.0.9"])
    };
    let service = Service {
        weighted_waypoints: vec![(named("wp.shop"), 90), (named("gone.shop"), 0), (named("new.shop"), 10)],
        ..service_behind(named("wp.shop"))
    };
    let mesh = mesh(service, super::pod("server", &["10.0.0.2"])).service(canary).pod(pod);
    let taken = |point: u64| {
        let mut asked = 0;
        let said = say(&mesh.go_with("10.1.0.1:80", &mut |n| {
            asked = n;
            point
        }));
        assert_eq!(asked, 100);
        said.split(' ').nth(1).unwrap().to_owned()
    };
    let new = (0..100).filter(|point| taken(*point) == "new").count();
    assert_eq!((new, taken(89), taken(90)), (10, "wp-1".to_owned(), "new".to_owned()));
}

#[test]
fn weights_of_nothing_mean_nothing() {
    let service =
        Service { weighted_waypoints: vec![(named("gone.shop"), 0)], ..service_behind(named("wp.shop")) };
    let mesh = mesh(service, pod("server", &["10.0.0.2"]));
    assert_eq!(say(&mesh.go("10.1.0.1:80")), "waypoint wp-1 at 10.0.0.8:15008 for 10.1.0.1:80");
}

#[rstest]
#[case::of_its_service(service_behind(named("wp.shop")), pod("server", &["10.0.0.2"]), true)]
#[case::by_the_address_of_a_pod(service_behind(at("10.0.0.8")), pod("server", &["10.0.0.2"]), true)]
#[case::canary(
    Service { weighted_waypoints: vec![(named("wp.shop"), 0)], ..service_behind(named("other.shop")) },
    pod("server", &["10.0.0.2"]),
    true
)]
#[case::of_itself(web(&["10.1.0.1"]), pod_behind(named("wp.shop")), true)]
#[case::of_another(service_behind(named("other.shop")), pod("server", &["10.0.0.2"]), false)]
#[case::nobodys(web(&["10.1.0.1"]), pod("server", &["10.0.0.2"]), false)]
fn whose_word_counts(#[case] service: Service, #[case] server: Workload, #[case] expected: bool) {
    let mesh = mesh(service, server);
    let find = |name: &str| mesh.dir.workload(&format!("Kubernetes//Pod/shop/{name}")).unwrap().clone();
    assert_eq!(is_waypoint_of(&mesh.dir, &find("wp-1"), &find("server")), expected);
    assert!(!is_waypoint_of(&mesh.dir, &find("client"), &find("server")), "a client is none");
    assert!(!is_waypoint_of(&mesh.dir, &find("server"), &find("wp-1")), "the other way round");
}
