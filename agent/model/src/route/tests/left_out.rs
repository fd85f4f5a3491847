//! Endpoints that failed, and what that changes in the choice.

use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;

use super::{Mesh, pod, say, serving, web};
use crate::*;

const VIP: &str = "10.1.0.1:80";

/// Three endpoints, `c` in plaintext, and a rule for clients of `shop`, of which the client is.
fn mesh(min_health_percent: u32) -> Mesh {
    let second = Duration::from_secs(1);
    let outlier = OutlierPolicy {
        consecutive_failures: 1,
        interval: second,
        base_ejection_time: second,
        max_ejection_percent: 100,
        min_health_percent,
    };
    let policy = ConnectionPolicy {
        origin: "DestinationRule/shop/web".into(),
        outlier: Some(outlier),
        ..ConnectionPolicy::default()
    };
    let audience = Audience { namespaces: vec!["shop".into()], ports: vec![(80, policy.into())] };
    let plain = Workload { tunnel_protocol: TunnelProtocol::None, ..serving(pod("c", &["10.0.0.4"])) };
    Mesh::new()
        .service(Service { audiences: vec![audience], ..web(&["10.1.0.1"]) })
        .pod(serving(pod("a", &["10.0.0.2"])))
        .pod(serving(pod("b", &["10.0.0.3"])))
        .pod(plain)
}

fn without(mut mesh: Mesh, names: &[&str]) -> Mesh {
    let uid = |name: &&str| Workload::pod("shop", name).uid;
    mesh.left_out = Arc::new(names.iter().map(uid).collect());
    mesh
}

/// Everybody who is chosen by some draw.
fn chosen(mesh: &Mesh) -> String {
    let all = (0..3).map(|point| say(&mesh.go_with(VIP, &mut |_| point)));
    let mut names: Vec<String> = all.map(|said| said.split(' ').nth(1).unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    names.concat()
}

#[rstest]
#[case::nobody(&[], 0, "abc")]
#[case::one(&["a"], 0, "bc")]
#[case::two(&["a", "c"], 0, "b")]
#[case::enough_are_healthy(&["a"], 60, "bc")]
#[case::panic(&["a", "b"], 60, "abc")]
#[case::panic_of_all(&["a", "b", "c"], 1, "abc")]
fn who_is_left_out(#[case] left_out: &[&str], #[case] min_health: u32, #[case] expected: &str) {
    assert_eq!(chosen(&without(mesh(min_health), left_out)), expected);
}

#[test]
fn if_all_are_left_out_nothing_goes_anywhere() {
    let refused = say(&without(mesh(0), &["a", "b", "c"]).go(VIP));
    assert_eq!(
        refused,
        "no healthy upstream: 3 endpoints of service shop/web.shop port 80 failed again and again and are left out for a while by \
         DestinationRule/shop/web, the others cannot be used from here"
    );
}

#[test]
fn it_counts_where_the_rule_does() {
    let others = |namespace: &str| {
        let mut mesh = without(mesh(0), &["a", "b"]);
        mesh.client.namespace = namespace.into();
        chosen(&mesh)
    };
    assert_eq!((&*others("shop"), &*others("bank")), ("c", "abc"));
    // By the pod's own address nobody chooses.
    let mesh = without(mesh(0), &["a"]);
    assert_eq!(say(&mesh.go("10.0.0.2:8080")), "tunnel a 10.0.0.2:8080");
}

#[test]
fn panic_counts_who_is_unhealthy_too() {
    let sick = |name: &str, ip: &str| Workload { status: Health::Unhealthy, ..serving(pod(name, &[ip])) };
    let mesh = |min_health| mesh(min_health).pod(sick("a", "10.0.0.2")).pod(sick("b", "10.0.0.3"));
    assert_eq!(chosen(&mesh(30)), "c");
    assert_eq!(chosen(&mesh(40)), "abc");
}

#[test]
fn terms_come_with_the_route() {
    let terms = |route: Route| match route {
        Route::Tunnel { terms, .. } | Route::Direct { terms, .. } | Route::PassThrough { terms, .. } => terms,
        Route::Refuse(_) => None,
    };
    let found = terms(mesh(0).go(VIP)).unwrap();
    assert_eq!((&*found.policy.origin, found.port), ("DestinationRule/shop/web", 80));
    assert_eq!(terms(mesh(0).go("10.0.0.2:80")), None, "the service was not dialled");
    let balancing = LoadBalancing { mode: LoadBalancingMode::Passthrough, ..LoadBalancing::default() };
    let service = mesh(0).dir.service(&super::key()).unwrap().as_ref().clone();
    let through = mesh(0).service(Service { load_balancing: balancing, ..service.clone() });
    assert!(terms(through.go(VIP)).is_some());
    let gateway = GatewayDestination::Address { network: "".into(), ip: "10.0.0.2".parse().unwrap() };
    let waypoint = Some(GatewayAddress { destination: gateway, hbone_mtls_port: 15008 });
    let behind = without(mesh(0).service(Service { waypoint, ..service }), &["a"]).go(VIP);
    assert_eq!(say(&behind), "waypoint a at 10.0.0.2:15008 for 10.1.0.1:80");
    assert_eq!(terms(behind), None, "the waypoint has them");
}
