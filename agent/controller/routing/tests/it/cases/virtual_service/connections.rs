//! tls and tcp routes.

use rstest::rstest;

use super::super::{told, world};
use crate::text::line;
use crate::world::World;

fn of(spec: &str) -> World {
    world(&format!("{{kind: VirtualService, metadata: {{}}, spec: {{hosts: [raw, '*.example'], {spec}}}}}"))
}

fn at(world: &World, port: u32) -> (String, String) {
    let frontend = world.frontend(world.find("raw.default.svc.cluster.local")).form;
    let port = frontend.ports.into_iter().find(|one| one.port == port).unwrap();
    (line(&port.tls), line(&port.tcp))
}

const TO_API: &str = "route: [{destination: {host: api.back.svc.cluster.local}}]";
const API: &str = "backends: [{weight: 1, target: Backend(api.back.svc.cluster.local:8080)}]";

#[rstest]
#[case::everything("", "")]
#[case::port("match: [{port: 70}], ", "matches: [{}], ")]
#[case::subnets(
    "match: [{destinationSubnets: [10.0.0.1/8]}], ",
    "matches: [{destination_subnets: [\"10.0.0.0/8\"]}], "
)]
#[case::subnets_of_v6(
    "match: [{destination_subnets: ['2001:db8::1']}], ",
    "matches: [{destination_subnets: [\"2001:db8::1/128\"]}], "
)]
fn tcp(#[case] matches: &str, #[case] expected: &str) {
    let world = of(&format!("tcp: [{{{matches}{TO_API}}}]"));
    let expected = format!("[{{name: \"VirtualService/default/x/tcp/0\", {expected}{API}}}]");
    assert_eq!(at(&world, 70), ("[]".to_owned(), expected));
}

#[rstest]
#[case::tcp_on_tls("tcp: [{match: [{port: 71}], ROUTE}]", 71, (false, true))]
#[case::tcp_on_unknown("tcp: [{match: [{port: 72}], ROUTE}]", 72, (false, true))]
#[case::tcp_of_another_port("tcp: [{match: [{port: 71}], ROUTE}]", 70, (false, false))]
#[case::tls_on_tls("tls: [{match: [{sniHosts: [a.example]}], ROUTE}]", 71, (true, false))]
#[case::tls_on_unknown("tls: [{match: [{sniHosts: [a.example]}], ROUTE}]", 72, (true, false))]
#[case::tls_on_tcp("tls: [{match: [{sniHosts: [a.example]}], ROUTE}]", 70, (false, false))]
#[case::of_a_gateway("tcp: [{match: [{gateways: [g]}], ROUTE}]", 70, (false, false))]
#[case::http_on_tcp("http: [{ROUTE}]", 70, (false, false))]
fn where_routes_are(#[case] spec: &str, #[case] port: u32, #[case] expected: (bool, bool)) {
    let (tls, tcp) = at(&of(&spec.replace("ROUTE", TO_API)), port);
    assert_eq!((tls != "[]", tcp != "[]"), expected);
}

#[rstest]
#[case::exact("[a.example]", "sni_hosts: [\"a.example\"]")]
#[case::capitals("[A.Example]", "sni_hosts: [\"a.example\"]")]
#[case::wildcard("['*.a.example']", "sni_hosts: [\"*.a.example\"]")]
#[case::own("[raw.default.svc.cluster.local]", "sni_hosts: [\"raw.default.svc.cluster.local\"]")]
fn server_names(#[case] hosts: &str, #[case] expected: &str) {
    let world = of(&format!("tls: [{{match: [{{sniHosts: {hosts}}}], {TO_API}}}]"));
    let expected =
        format!("[{{name: \"VirtualService/default/x/tls/0\", matches: [{{{expected}}}], {API}}}]");
    assert_eq!(at(&world, 71).0, expected);
}

#[rstest]
#[case::no_match(
    "tls: [{ROUTE}]",
    "spec.tls[0].match: is missing: a tls route needs sniHosts (the rule is left out)"
)]
#[case::no_names(
    "tls: [{match: [{port: 71}], ROUTE}]",
    "spec.tls[0].match[0].sniHosts: is missing (the rule is left out)"
)]
#[case::foreign(
    "tls: [{match: [{sniHosts: [a.org]}], ROUTE}]",
    "spec.tls[0].match[0].sniHosts[0]: \"a.org\" is not among the hosts of the VirtualService (the rule is left out)"
)]
#[case::too_wide(
    "tls: [{match: [{sniHosts: ['*']}], ROUTE}]",
    "spec.tls[0].match[0].sniHosts[0]: \"*\" is not among the hosts of the VirtualService (the rule is left out)"
)]
#[case::no_route("tcp: [{}]", "spec.tcp[0].route: is missing (what matches the rule is answered with 503)")]
#[case::source_subnet(
    "tcp: [{match: [{sourceSubnet: 10.0.0.0/8}], ROUTE}]",
    "spec.tcp[0].match[0].sourceSubnet: clients cannot be told by their addresses; use sourceLabels or sourceNamespace (the rule is left out)"
)]
#[case::subnet(
    "tcp: [{match: [{destinationSubnets: [a]}], ROUTE}]",
    "spec.tcp[0].match[0].destinationSubnets[0]: \"a\" is not an address or a CIDR (the rule is left out)"
)]
#[case::unknown(
    "tcp: [{ROUTE, timeout: 1s}]",
    "spec.tcp[0].timeout: is not a field that is known here (what matches the rule is answered with 503)"
)]
#[case::unknown_in_match(
    "tls: [{match: [{sni: [a]}], ROUTE}]",
    "spec.tls[0].match[0].sni: unknown field `sni`, expected one of `sniHosts`, `destinationSubnets`, `port`, `sourceLabels`, `sourceNamespace`, `gateways` (the rule is left out)"
)]
#[case::weights(
    "tcp: [{route: [{destination: {host: raw}}, {destination: {host: raw}}]}]",
    "spec.tcp[0].route: all weights are 0: nothing would be sent anywhere (what matches the rule is answered with 503)"
)]
fn problems(#[case] spec: &str, #[case] expected: &str) {
    let world = of(&spec.replace("ROUTE", TO_API));
    assert_eq!(told(world.virtual_services[0].problems(&[], &world, &world.mesh).iter()), expected);
}
