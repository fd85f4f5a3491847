//! What is taken, what is refused, and that the refusal names the place.

use prost::Message;
use rstest::rstest;
use weir_model::{Connection, Directory, Workload, admit};

use super::*;

fn policy(matches: Vec<proto::Match>) -> proto::Authorization {
    let clauses = vec![proto::Clause { matches }];
    proto::Authorization {
        name: "p".into(),
        namespace: "n".into(),
        rules: vec![proto::Rule { clauses }],
        ..Default::default()
    }
}

fn of(change: impl FnOnce(&mut proto::Match)) -> proto::Authorization {
    let mut one = proto::Match::default();
    change(&mut one);
    policy(vec![proto::Match::default(), one])
}

fn string(kind: Option<MatchType>) -> Vec<proto::StringMatch> {
    vec![proto::StringMatch { match_type: kind }]
}

fn net(address: &[u8], length: u32) -> Vec<proto::Address> {
    vec![proto::Address { address: address.to_vec(), length }]
}

fn extension() -> Vec<Extension> {
    vec![Extension { name: "x".into(), config: None }]
}

const MAPPED: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3];

#[rstest]
#[case::no_name(proto::Authorization { name: String::new(), ..policy(vec![]) }, "name", Reason::Missing)]
#[case::no_namespace(proto::Authorization { namespace: String::new(), ..policy(vec![]) }, "namespace", Reason::Missing)]
#[case::slash_in_name(proto::Authorization { name: "a/b".into(), ..policy(vec![]) }, "name", Reason::Slash)]
#[case::slash_in_namespace(proto::Authorization { namespace: "a/b".into(), ..policy(vec![]) }, "namespace", Reason::Slash)]
#[case::scope(proto::Authorization { scope: 3, ..policy(vec![]) }, "scope", Reason::UnknownEnum { kind: "Scope", number: 3 })]
#[case::action(proto::Authorization { action: 2, ..policy(vec![]) }, "action", Reason::UnknownEnum { kind: "Action", number: 2 })]
#[case::negative(proto::Authorization { action: -1, ..policy(vec![]) }, "action", Reason::UnknownEnum { kind: "Action", number: -1 })]
#[case::extension(proto::Authorization { extensions: extension(), ..policy(vec![]) }, "extensions[0]", Reason::Extension { name: "x".into() })]
#[case::extension_of_match(of(|m| m.extensions = extension()), "rules[0].clauses[0].matches[1].extensions[0]", Reason::Extension { name: "x".into() })]
#[case::text(of(|m| m.principals = string(None)), "rules[0].clauses[0].matches[1].principals[0].match_type", Reason::Missing)]
#[case::not_text(of(|m| m.not_namespaces = string(None)), "rules[0].clauses[0].matches[1].not_namespaces[0].match_type", Reason::Missing)]
#[case::no_address(of(|m| m.source_ips = net(&[], 0)), "rules[0].clauses[0].matches[1].source_ips[0].address", Reason::AddressLength { length: 0 })]
#[case::address(of(|m| m.not_source_ips = net(&[1, 2, 3], 8)), "rules[0].clauses[0].matches[1].not_source_ips[0].address", Reason::AddressLength { length: 3 })]
#[case::length_v4(of(|m| m.destination_ips = net(&[10, 0, 0, 0], 33)), "rules[0].clauses[0].matches[1].destination_ips[0].length", Reason::PrefixLength { length: 33 })]
#[case::length_v6(of(|m| m.not_destination_ips = net(&[0x20; 16], 129)), "rules[0].clauses[0].matches[1].not_destination_ips[0].length", Reason::PrefixLength { length: 129 })]
#[case::length_wraps(of(|m| m.source_ips = net(&[10, 0, 0, 0], 256 + 8)), "rules[0].clauses[0].matches[1].source_ips[0].length", Reason::PrefixLength { length: 264 })]
#[case::length_mapped(of(|m| m.source_ips = net(&MAPPED, 95)), "rules[0].clauses[0].matches[1].source_ips[0].length", Reason::PrefixLength { length: 95 })]
#[case::port(of(|m| m.destination_ports = vec![80, 65536]), "rules[0].clauses[0].matches[1].destination_ports[1]", Reason::Port { port: 65536 })]
#[case::port_wraps(of(|m| m.not_destination_ports = vec![65536 + 80]), "rules[0].clauses[0].matches[1].not_destination_ports[0]", Reason::Port { port: 65616 })]
#[case::account_namespace(of(|m| m.service_accounts = vec![proto::ServiceAccountMatch { service_account: "a".into(), ..Default::default() }]), "rules[0].clauses[0].matches[1].service_accounts[0].namespace", Reason::Missing)]
#[case::account(of(|m| m.not_service_accounts = vec![proto::ServiceAccountMatch { namespace: "a".into(), ..Default::default() }]), "rules[0].clauses[0].matches[1].not_service_accounts[0].service_account", Reason::Missing)]
fn is_refused(#[case] message: proto::Authorization, #[case] field: &str, #[case] reason: Reason) {
    let resource = format!("{}/{}", message.namespace, message.name);
    let stand_in = refused_authorization(&message);
    assert_eq!(authorization(message).unwrap_err(), Rejection { resource, field: field.into(), reason });
    assert!(!lets_in(stand_in), "what stands for it lets nobody in");
}

fn lets_in(policy: Policy) -> bool {
    let dst = Workload { authorization_policies: vec![policy.key.clone()], ..Workload::pod("n", "web") };
    let mut directory = Directory::new();
    directory.upsert_policy(policy);
    let peer = "spiffe://cluster.local/ns/n/sa/a".parse().unwrap();
    let destination = ([10, 0, 0, 1], 80).into();
    let connection = Connection { peer: Some(&peer), source_ip: [10, 0, 0, 2].into(), destination };
    admit(&directory, &dst, &connection).is_allowed()
}

#[rstest]
#[case::host_bits(&[10, 1, 2, 3], 8, "10.0.0.0/8")]
#[case::everything(&[10, 1, 2, 3], 0, "0.0.0.0/0")]
#[case::one(&[10, 1, 2, 3], 32, "10.1.2.3/32")]
#[case::v6(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 32, "2001:db8::/32")]
#[case::mapped(&MAPPED, 128, "10.1.2.3/32")]
#[case::mapped_range(&MAPPED, 104, "10.0.0.0/8")]
#[case::all_mapped(&MAPPED, 96, "0.0.0.0/0")]
fn a_range(#[case] address: &[u8], #[case] length: u32, #[case] expected: &str) {
    let made = authorization(of(|m| m.source_ips = net(address, length))).unwrap();
    let ranges: Vec<String> =
        made.rules[0].clauses[0].matches[1].source_ips.iter().map(|n| n.to_string()).collect();
    assert_eq!(ranges, [expected]);
}

/// Each field of the message reaches the field of the model with its name, and no other.
#[test]
fn no_field_is_mistaken_for_another() {
    let text = |t: &str| proto::StringMatch { match_type: Some(MatchType::Exact(t.into())) };
    let account = |a: &str| proto::ServiceAccountMatch { namespace: "n".into(), service_account: a.into() };
    let made = authorization(policy(vec![proto::Match {
        namespaces: vec![text("a")],
        not_namespaces: vec![text("b")],
        principals: vec![text("c")],
        not_principals: vec![text("d")],
        source_ips: net(&[1, 0, 0, 0], 32),
        not_source_ips: net(&[2, 0, 0, 0], 32),
        destination_ips: net(&[3, 0, 0, 0], 32),
        not_destination_ips: net(&[4, 0, 0, 0], 32),
        destination_ports: vec![5],
        not_destination_ports: vec![6],
        service_accounts: vec![account("e")],
        not_service_accounts: vec![account("f")],
        extensions: vec![],
    }]))
    .unwrap();
    let exact = |t: &str| [StringMatch::Exact(t.into())].into_iter().collect();
    let ip = |a: u8| [IpNet::from(IpAddr::from([a, 0, 0, 0]))].into_iter().collect();
    let account = |a: &str| {
        [ServiceAccountMatch { namespace: "n".into(), service_account: a.into() }].into_iter().collect()
    };
    let expected = Match {
        namespaces: exact("a"),
        not_namespaces: exact("b"),
        principals: exact("c"),
        not_principals: exact("d"),
        source_ips: ip(1),
        not_source_ips: ip(2),
        destination_ips: ip(3),
        not_destination_ips: ip(4),
        destination_ports: [5].into_iter().collect(),
        not_destination_ports: [6].into_iter().collect(),
        service_accounts: account("e"),
        not_service_accounts: account("f"),
    };
    assert_eq!(made.rules, [Rule { clauses: vec![Clause { matches: vec![expected] }] }]);
}

/// Bytes written by hand from the field numbers of the wire.
#[test]
fn the_field_numbers_are_those_of_the_wire() {
    #[rustfmt::skip]
    let bytes = [
        0x0a, 1, b'p', // name (1)
        0x12, 1, b'n', // namespace (2)
        0x18, 2, // scope (3) WORKLOAD_SELECTOR
        0x20, 1, // action (4) DENY
        0x2a, 18, // rules (5)
            0x0a, 16, // clauses (1)
                0x12, 14, // matches (2)
                    0x22, 2, 0x22, 0, // not_principals (4): presence (4)
                    0x2a, 8, 0x0a, 4, 10, 0, 0, 0, 0x10, 8, // source_ips (5): address (1), length (2)
        0x30, 1, // dry_run (6)
    ];
    // The lengths above are those of the parts below them.
    let made = authorization(proto::Authorization::decode(&bytes[..]).unwrap()).unwrap();
    assert_eq!((&*made.key, made.scope, made.action), ("n/p", PolicyScope::WorkloadSelector, Action::Deny));
    assert!(made.dry_run);
    let [one] = &*made.rules[0].clauses[0].matches else { panic!() };
    assert_eq!(one.not_principals.iter().collect::<Vec<_>>(), [StringMatch::Presence]);
    assert_eq!(one.source_ips.iter().collect::<Vec<_>>(), ["10.0.0.0/8".parse::<IpNet>().unwrap()]);
}

proptest::proptest! {
    /// Whatever bytes a peer sends: refused or taken, never a panic.
    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        if let Ok(message) = proto::Authorization::decode(&bytes[..]) {
            drop(authorization(message));
        }
    }
}
