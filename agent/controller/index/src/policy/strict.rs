//! The policies that stand for PeerAuthentications: they deny who has no identity.

use std::sync::Arc;

use weir_proto::security::string_match::MatchType;
use weir_proto::security::{Action, Authorization, Clause, Match, Rule, Scope, StringMatch};

use super::mode::Mode;
use super::peer_authentication::PeerAuthentication;

/// Name of the policy, in the root namespace, of all workloads that must have mTLS on all ports.
pub(super) const STATIC: &str = "istio_converted_static_strict";

/// What a resource is known by on the wire.
pub(super) fn key(namespace: &str, name: &str) -> Arc<str> {
    format!("{namespace}/{name}").into()
}

/// Key of the policy that an object with ports has of its own.
pub(super) fn own_key(namespace: &str, name: &str) -> Arc<str> {
    key(namespace, &own_name(name))
}

/// The policy of all workloads that must have mTLS on all ports.
pub(super) fn everywhere(root_namespace: &str) -> Authorization {
    deny(root_namespace, STATIC.to_owned(), vec![Rule { clauses: vec![all(no_identity())] }])
}

/// Whether a port has another mode than the object's.
pub(super) fn has_exceptions(asks: &PeerAuthentication, inherited: Mode) -> bool {
    exceptions(asks, inherited).next().is_some()
}

/// The policy of an object with ports that have another mode than the others; `None` if there are none.
pub(super) fn with_exceptions(
    namespace: &str,
    name: &str,
    asks: &PeerAuthentication,
    inherited: Mode,
) -> Option<Authorization> {
    let ports: Vec<u32> = exceptions(asks, inherited).map(u32::from).collect();
    if ports.is_empty() {
        return None;
    }
    let rules = if asks.mode.or(inherited) == Mode::Strict {
        let but = |port| all(Match { not_destination_ports: vec![port], ..Match::default() });
        let clauses = std::iter::once(all(no_identity())).chain(ports.into_iter().map(but));
        vec![Rule { clauses: clauses.collect() }]
    } else {
        let on = |port| Rule { clauses: vec![all(Match { destination_ports: vec![port], ..no_identity() })] };
        ports.into_iter().map(on).collect()
    };
    Some(deny(namespace, own_name(name), rules))
}

/// The ports with another mode than the object's, in order.
fn exceptions(asks: &PeerAuthentication, inherited: Mode) -> impl Iterator<Item = u16> {
    let strict = asks.mode.or(inherited) == Mode::Strict;
    let differs = move |mode: Mode| mode != Mode::Unset && (mode == Mode::Strict) != strict;
    asks.ports.iter().filter(move |(_, mode)| differs(**mode)).map(|(port, _)| *port)
}

fn deny(namespace: &str, name: String, rules: Vec<Rule>) -> Authorization {
    Authorization {
        name,
        namespace: namespace.to_owned(),
        scope: Scope::WorkloadSelector.into(),
        action: Action::Deny.into(),
        rules,
        ..Authorization::default()
    }
}

fn own_name(name: &str) -> String {
    format!("converted_peer_authentication_{name}")
}

fn no_identity() -> Match {
    let any = StringMatch { match_type: Some(MatchType::Presence(())) };
    Match { not_principals: vec![any], ..Match::default() }
}

fn all(one: Match) -> Clause {
    Clause { matches: vec![one] }
}
