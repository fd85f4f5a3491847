//! Each row of the decode policy, on messages as a peer would send them.

use std::net::IpAddr;

use prost::Message;
use proto::gateway_address::Destination;
use rstest::rstest;
use weir_model::{
    GatewayDestination, HealthPolicy, LoadBalancingMode, NetworkMode, Scope, ServiceKey, TunnelProtocol,
    Visibility, WorkloadType,
};
use weir_proto::workload as proto;

use super::{Reason, Rejection, Resource, address, service, workload};

fn pod() -> proto::Workload {
    proto::Workload {
        uid: "c//Pod/n/p".into(),
        name: "p".into(),
        namespace: "n".into(),
        ..Default::default()
    }
}

fn web() -> proto::Service {
    proto::Service { namespace: "n".into(), hostname: "web.n".into(), ..Default::default() }
}

fn at(bytes: &[u8]) -> proto::GatewayAddress {
    let address = proto::NetworkAddress { address: bytes.to_vec(), ..Default::default() };
    proto::GatewayAddress { destination: Some(Destination::Address(address)), hbone_mtls_port: 0 }
}

#[test]
fn an_empty_workload_gets_the_defaults() {
    let made = workload(pod()).unwrap();
    assert_eq!(made.identity().to_string(), "spiffe://cluster.local/ns/n/sa/default");
    assert_eq!(
        (&*made.cluster_id, made.capacity, made.workload_type),
        ("Kubernetes", 1, WorkloadType::Deployment)
    );
    assert_eq!((made.tunnel_protocol, made.network_mode), (TunnelProtocol::None, NetworkMode::Standard));
}

#[test]
fn addresses_are_raw_bytes_and_mapped_ones_are_ipv4() {
    let mapped = "::ffff:10.0.0.2".parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec();
    let made = workload(proto::Workload { addresses: vec![vec![10, 0, 0, 1], mapped], ..pod() }).unwrap();
    assert_eq!(made.addresses, ["10.0.0.1", "10.0.0.2"].map(|ip| ip.parse::<IpAddr>().unwrap()));
}

#[test]
fn capacity_zero_is_not_the_default() {
    assert_eq!(workload(proto::Workload { capacity: Some(0), ..pod() }).unwrap().capacity, 0);
}

#[test]
fn ports_of_services_are_keyed_by_namespace_and_hostname() {
    let list =
        proto::PortList { ports: vec![proto::Port { service_port: 80, target_port: 8080, app_protocol: 2 }] };
    let made = workload(proto::Workload { services: [("n/web.n".into(), list)].into(), ..pod() }).unwrap();
    let ports = &made.services[&ServiceKey::new("n", "web.n")];
    assert_eq!((ports[0].service_port, ports[0].target_port), (80, 8080));
}

#[rstest]
#[case::no_uid(proto::Workload { uid: String::new(), ..pod() }, "uid", Reason::Missing)]
#[case::empty_address(proto::Workload { addresses: vec![vec![10, 0, 0, 1], vec![]], ..pod() }, "addresses[1]", Reason::AddressLength { length: 0 })]
#[case::long_address(proto::Workload { addresses: vec![vec![0; 17]], ..pod() }, "addresses[0]", Reason::AddressLength { length: 17 })]
#[case::legacy(proto::Workload { tunnel_protocol: 2, ..pod() }, "tunnel_protocol", Reason::LegacyMtls)]
#[case::tunnel(proto::Workload { tunnel_protocol: 3, ..pod() }, "tunnel_protocol", Reason::UnknownEnum { kind: "TunnelProtocol", number: 3 })]
#[case::kind(proto::Workload { workload_type: 4, ..pod() }, "workload_type", Reason::UnknownEnum { kind: "WorkloadType", number: 4 })]
#[case::status(proto::Workload { status: -1, ..pod() }, "status", Reason::UnknownEnum { kind: "WorkloadStatus", number: -1 })]
#[case::mode(proto::Workload { network_mode: 2, ..pod() }, "network_mode", Reason::UnknownEnum { kind: "NetworkMode", number: 2 })]
#[case::waypoint(proto::Workload { waypoint: Some(proto::GatewayAddress::default()), ..pod() }, "waypoint.destination", Reason::Missing)]
#[case::gateway(proto::Workload { network_gateway: Some(at(&[1])), ..pod() }, "network_gateway.address.address", Reason::AddressLength { length: 1 })]
#[case::gateway_port(proto::Workload { waypoint: Some(proto::GatewayAddress { hbone_mtls_port: 65536, ..at(&[0; 4]) }), ..pod() }, "waypoint.hbone_mtls_port", Reason::Port { port: 65536 })]
#[case::tunnel_port(proto::Workload { application_tunnel: Some(proto::ApplicationTunnel { protocol: 1, port: 70000 }), ..pod() }, "application_tunnel.port", Reason::Port { port: 70000 })]
#[case::key(proto::Workload { services: [("web".into(), proto::PortList::default())].into(), ..pod() }, "services[web]", Reason::ServiceKey { key: "web".into() })]
#[case::port(proto::Workload { services: [("n/w".into(), proto::PortList { ports: vec![proto::Port::default()] })].into(), ..pod() }, "services[n/w].ports[0].service_port", Reason::Port { port: 0 })]
fn a_workload_is_refused(#[case] message: proto::Workload, #[case] field: &str, #[case] reason: Reason) {
    let resource = message.uid.clone();
    assert_eq!(workload(message).unwrap_err(), Rejection { resource, field: field.into(), reason });
}

#[rstest]
#[case::slash(proto::Workload { service_account: "a/b".into(), ..pod() }, false)]
#[case::no_namespace(proto::Workload { namespace: String::new(), tunnel_protocol: 1, ..pod() }, false)]
#[case::outside_the_mesh(proto::Workload { namespace: String::new(), ..pod() }, true)]
fn an_identity_must_be_one(#[case] message: proto::Workload, #[case] taken: bool) {
    let made = workload(message);
    assert_eq!(made.is_ok(), taken, "{made:?}");
    assert!(taken || matches!(made.unwrap_err().reason, Reason::Identity(_)));
}

#[rstest]
#[case::namespace(proto::Service { namespace: String::new(), ..web() }, "namespace", Reason::Missing)]
#[case::hostname(proto::Service { hostname: String::new(), ..web() }, "hostname", Reason::Missing)]
#[case::address(proto::Service { addresses: vec![proto::NetworkAddress::default()], ..web() }, "addresses[0].address", Reason::AddressLength { length: 0 })]
#[case::length(proto::Service { addresses: vec![proto::NetworkAddress { address: vec![10, 0, 0, 0], length: Some(33), ..Default::default() }], ..web() }, "addresses[0].length", Reason::PrefixLength { length: 33 })]
#[case::port(proto::Service { ports: vec![proto::Port { service_port: 80, target_port: 65536, app_protocol: 0 }], ..web() }, "ports[0].target_port", Reason::Port { port: 65536 })]
#[case::protocol(proto::Service { ports: vec![proto::Port { service_port: 80, target_port: 1, app_protocol: 6 }], ..web() }, "ports[0].app_protocol", Reason::UnknownEnum { kind: "AppProtocol", number: 6 })]
#[case::families(proto::Service { ip_families: 4, ..web() }, "ip_families", Reason::UnknownEnum { kind: "IPFamilies", number: 4 })]
#[case::mode(proto::Service { load_balancing: Some(proto::LoadBalancing { mode: 4, ..Default::default() }), ..web() }, "load_balancing.mode", Reason::UnknownEnum { kind: "LoadBalancing.Mode", number: 4 })]
#[case::scope(proto::Service { load_balancing: Some(proto::LoadBalancing { routing_preference: vec![1, 7], ..Default::default() }), ..web() }, "load_balancing.routing_preference[1]", Reason::UnknownEnum { kind: "LoadBalancing.Scope", number: 7 })]
#[case::no_scope(proto::Service { load_balancing: Some(proto::LoadBalancing { routing_preference: vec![0], ..Default::default() }), ..web() }, "load_balancing.routing_preference[0]", Reason::UnknownEnum { kind: "LoadBalancing.Scope", number: 0 })]
#[case::waypoint(proto::Service { waypoint: Some(proto::GatewayAddress::default()), ..web() }, "waypoint.destination", Reason::Missing)]
#[case::weighted(proto::Service { weighted_waypoints: vec![proto::WeightedWaypoint { destination: None, weight: 0 }], ..web() }, "weighted_waypoints[0].destination", Reason::Missing)]
fn a_service_is_refused(#[case] message: proto::Service, #[case] field: &str, #[case] reason: Reason) {
    let resource = format!("{}/{}", message.namespace, message.hostname);
    assert_eq!(service(message).unwrap_err(), Rejection { resource, field: field.into(), reason });
}

#[test]
fn a_whole_service() {
    let name = proto::NamespacedHostname { namespace: "n".into(), hostname: "wp.n".into() };
    let waypoint =
        proto::GatewayAddress { destination: Some(Destination::Hostname(name)), hbone_mtls_port: 0 };
    let balancing = proto::LoadBalancing { routing_preference: vec![6, 1, 5], mode: 2, health_policy: 1 };
    let made = service(proto::Service {
        addresses: vec![
            proto::NetworkAddress { network: "west".into(), address: vec![10, 0, 0, 1], length: None },
            proto::NetworkAddress { network: String::new(), address: vec![10, 7, 8, 9], length: Some(16) },
        ],
        subject_alt_names: vec!["spiffe://td/ns/a/sa/b".into(), "not one".into()],
        waypoint: Some(waypoint),
        load_balancing: Some(balancing),
        visibility: 1,
        ..web()
    })
    .unwrap();
    assert_eq!(made.vips, [("west".into(), "10.0.0.1".parse::<IpAddr>().unwrap())]);
    assert_eq!(made.cidr_vips, [("".into(), "10.7.0.0/16".parse().unwrap())]);
    assert_eq!(
        made.subject_alt_names,
        ["spiffe://td/ns/a/sa/b".parse().unwrap()],
        "a name that is none is left out"
    );
    let gateway = made.waypoint.unwrap();
    assert_eq!(gateway.destination, GatewayDestination::Hostname(ServiceKey::new("n", "wp.n")));
    assert_eq!(gateway.hbone_mtls_port, 15008);
    assert_eq!(made.load_balancing.routing_preference, [Scope::Network, Scope::Region, Scope::Cluster]);
    assert_eq!(
        (made.load_balancing.mode, made.load_balancing.health_policy),
        (LoadBalancingMode::Failover, HealthPolicy::AllowAll)
    );
    assert_eq!(made.visibility, Visibility::Namespace);
}

#[test]
fn weighted_waypoints_keep_their_weights_beside_the_first() {
    let weighted = [(1, 0), (2, 5)]
        .map(|(host, weight)| proto::WeightedWaypoint { destination: Some(at(&[10, 0, 0, host])), weight });
    let made = service(proto::Service {
        waypoint: Some(at(&[10, 0, 0, 9])),
        weighted_waypoints: weighted.into(),
        ..web()
    })
    .unwrap();
    let ip = |gateway: &weir_model::GatewayAddress| gateway.to_string();
    assert_eq!(made.waypoint.as_ref().map(ip).as_deref(), Some("10.0.0.9"));
    let weights: Vec<_> = made.weighted_waypoints.iter().map(|(g, weight)| (ip(g), *weight)).collect();
    assert_eq!(weights, [("10.0.0.1".to_owned(), 0), ("10.0.0.2".to_owned(), 5)]);
}

#[test]
fn a_visibility_from_the_future_is_public() {
    assert_eq!(service(proto::Service { visibility: 9, ..web() }).unwrap().visibility, Visibility::Public);
}

/// Bytes written by hand from the field numbers: what a peer sends does not depend on our code.
#[test]
fn the_field_numbers_are_those_of_the_wire() {
    #[rustfmt::skip]
    let bytes = [
        0x0a, 0x20, // Address.workload (1), 32 bytes
        0xa2, 0x01, 0x03, b'u', b'i', b'd', // uid (20)
        0x12, 0x01, b'n', // namespace (2)
        0x1a, 0x04, 10, 0, 0, 1, // addresses (3)
        0x28, 0x01, // tunnel_protocol (5) HBONE
        0x3a, 0x02, b's', b'a', // service_account (7)
        0x88, 0x01, 0x01, // status (17) UNHEALTHY
        0xda, 0x01, 0x02, 0x08, 0x07, // capacity (27) UInt32Value 7
        0xf8, 0x3f, 0x01, // field 1023, from a later version: ignored
    ];
    let Resource::Workload(made) = address(proto::Address::decode(&bytes[..]).unwrap()).unwrap() else {
        panic!()
    };
    assert_eq!(
        (&*made.uid, made.addresses.len(), made.tunnel_protocol, made.capacity),
        ("uid", 1, TunnelProtocol::Hbone, 7)
    );
    assert_eq!((made.status, made.identity().service_account()), (weir_model::Health::Unhealthy, "sa"));
}

#[test]
fn an_address_of_a_later_kind_is_refused_and_a_service_is_a_service() {
    assert_eq!(address(proto::Address::default()).unwrap_err().reason, Reason::Missing);
    let message = proto::Address { r#type: Some(proto::address::Type::Service(web())) };
    assert!(matches!(address(message), Ok(Resource::Service(s)) if s.key == ServiceKey::new("n", "web.n")));
}

proptest::proptest! {
    /// Whatever bytes a peer sends: refused or taken, never a panic.
    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        if let Ok(message) = proto::Address::decode(&bytes[..]) {
            drop(address(message));
        }
    }
}
