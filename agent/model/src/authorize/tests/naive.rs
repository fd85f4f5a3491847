//! The verdict in the plainest way, written from the wire's description and not from the code: whole texts, whole lists,
//! and nothing that is fast.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use proptest::collection::vec;
use proptest::prelude::*;

use super::notation::Visit;
use crate::policy::{Action, Clause, Match, Rule, ServiceAccountMatch, StringMatch};
use crate::{Identity, Policy, PolicyScope, authorize, rehearse};

/// One list and its `not_` list, as they come over the wire.
#[derive(Debug, Clone)]
struct Lists<T> {
    these: Vec<T>,
    not: Vec<T>,
}

impl<T> Lists<T> {
    fn is_empty(&self) -> bool {
        self.these.is_empty() && self.not.is_empty()
    }

    fn hold(&self, is: impl Fn(&T) -> bool) -> bool {
        (self.these.is_empty() || self.these.iter().any(&is)) && !self.not.iter().any(is)
    }
}

#[derive(Debug, Clone)]
struct WireMatch {
    namespaces: Lists<StringMatch>,
    principals: Lists<StringMatch>,
    accounts: Lists<(String, String)>,
    src: Lists<IpNet>,
    dst: Lists<IpNet>,
    ports: Lists<u16>,
}

#[derive(Debug, Clone)]
struct WirePolicy {
    deny: bool,
    dry_run: bool,
    rules: Vec<Vec<Vec<WireMatch>>>,
}

fn text_is(pattern: &StringMatch, text: &str) -> bool {
    match pattern {
        StringMatch::Exact(exact) => text == &**exact,
        StringMatch::Prefix(prefix) => text.starts_with(&**prefix),
        StringMatch::Suffix(suffix) => text.ends_with(&**suffix),
        StringMatch::Presence => !text.is_empty(),
    }
}

fn match_holds(m: &WireMatch, visit: &Visit) -> bool {
    let nothing = m.namespaces.is_empty()
        && m.principals.is_empty()
        && m.accounts.is_empty()
        && m.src.is_empty()
        && m.dst.is_empty()
        && m.ports.is_empty();
    if nothing {
        return false;
    }
    let spiffe = visit.peer.as_ref().map(ToString::to_string);
    let principal = spiffe.as_ref().and_then(|id| id.strip_prefix("spiffe://"));
    let namespace = visit.peer.as_ref().map_or("", |peer| peer.namespace());
    let account = visit.peer.as_ref().map(|p| (p.namespace().to_owned(), p.service_account().to_owned()));
    m.namespaces.hold(|pattern| text_is(pattern, namespace))
        && m.principals.hold(|pattern| principal.is_some_and(|principal| text_is(pattern, principal)))
        && m.accounts.hold(|one| account.as_ref() == Some(one))
        && m.src.hold(|net| net.contains(&visit.source_ip))
        && m.dst.hold(|net| net.contains(&visit.destination.ip()))
        && m.ports.hold(|port| *port == visit.destination.port())
}

fn policy_matches(policy: &WirePolicy, visit: &Visit) -> bool {
    policy.rules.iter().any(|clauses| {
        clauses.iter().all(|matches| matches.is_empty() || matches.iter().any(|m| match_holds(m, visit)))
    })
}

fn allowed<'a>(policies: impl Iterator<Item = &'a WirePolicy> + Clone, visit: &Visit) -> bool {
    let denies = policies.clone().filter(|p| p.deny).any(|p| policy_matches(p, visit));
    let mut allows = policies.filter(|p| !p.deny).peekable();
    !denies && (allows.peek().is_none() || allows.any(|p| policy_matches(p, visit)))
}

fn made(place: usize, policy: &WirePolicy) -> Arc<Policy> {
    let action = if policy.deny { Action::Deny } else { Action::Allow };
    let clause = |matches: &Vec<WireMatch>| Clause { matches: matches.iter().map(made_match).collect() };
    let rule = |clauses: &Vec<Vec<WireMatch>>| Rule { clauses: clauses.iter().map(clause).collect() };
    let name = format!("p{place}");
    let dry_run = policy.dry_run;
    let rules = policy.rules.iter().map(rule).collect();
    Arc::new(Policy { rules, dry_run, ..Policy::new("n", &name, PolicyScope::Namespace, action) })
}

fn made_match(m: &WireMatch) -> Match {
    let account = |(namespace, service_account): &(String, String)| ServiceAccountMatch {
        namespace: namespace.as_str().into(),
        service_account: service_account.as_str().into(),
    };
    Match {
        namespaces: m.namespaces.these.iter().cloned().collect(),
        not_namespaces: m.namespaces.not.iter().cloned().collect(),
        principals: m.principals.these.iter().cloned().collect(),
        not_principals: m.principals.not.iter().cloned().collect(),
        source_ips: m.src.these.iter().copied().collect(),
        not_source_ips: m.src.not.iter().copied().collect(),
        destination_ips: m.dst.these.iter().copied().collect(),
        not_destination_ips: m.dst.not.iter().copied().collect(),
        destination_ports: m.ports.these.iter().copied().collect(),
        not_destination_ports: m.ports.not.iter().copied().collect(),
        service_accounts: m.accounts.these.iter().map(account).collect(),
        not_service_accounts: m.accounts.not.iter().map(account).collect(),
    }
}

/// Few letters, or nothing would ever be equal.
const NAME: &str = "[ab]{1,2}";

fn identity() -> impl Strategy<Value = Identity> {
    (NAME, NAME, NAME).prop_map(|(domain, ns, sa)| Identity::new(&domain, &ns, &sa).unwrap())
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0..3_u8, 0..3_u8).prop_map(|(a, b)| IpAddr::from([10, a, 0, b])),
        (0..3_u16).prop_map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last])),
    ]
}

fn net() -> impl Strategy<Value = IpNet> {
    let bits = prop_oneof![Just(0_u8), Just(8), Just(15), Just(16), Just(31), Just(32), Just(127), Just(128)];
    (ip(), bits).prop_map(|(ip, bits)| {
        let most = if ip.is_ipv4() { 32 } else { 128 };
        IpNet::new(ip, bits.min(most)).unwrap()
    })
}

fn visit() -> impl Strategy<Value = Visit> {
    (proptest::option::weighted(0.8, identity()), ip(), ip(), 1..4_u16).prop_map(
        |(peer, source_ip, ip, port)| Visit { peer, source_ip, destination: SocketAddr::new(ip, port) },
    )
}

/// Pieces of what a text could be.
fn pattern(whole: impl Strategy<Value = String>) -> impl Strategy<Value = StringMatch> {
    (whole, 0..4_u8, 0..30_usize).prop_map(|(whole, kind, cut)| match kind {
        0 => StringMatch::Exact(whole.into()),
        1 => StringMatch::Prefix(whole.chars().take(cut).collect::<String>().into()),
        2 => StringMatch::Suffix(whole.chars().skip(cut.min(whole.len())).collect::<String>().into()),
        _ => StringMatch::Presence,
    })
}

/// Mostly empty: what asks twelve things matches nothing.
fn lists<T: Clone + std::fmt::Debug + 'static>(
    one: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = Lists<T>> {
    let list =
        || prop_oneof![4 => Just(Vec::new()), 2 => vec(one.clone(), 1..4), 1 => vec(one.clone(), 8..12)];
    (list(), list()).prop_map(|(these, not)| Lists { these, not })
}

fn wire_match() -> impl Strategy<Value = WireMatch> {
    let principal =
        || pattern(identity().prop_map(|id| id.to_string()["spiffe://".len()..].to_owned())).boxed();
    let namespace = || pattern("[ab]{0,2}".prop_map(|name| name)).boxed();
    let kinds = (
        lists(namespace()),
        lists(principal()),
        lists((NAME, NAME).boxed()),
        lists(net().boxed()),
        lists(net().boxed()),
        lists((1..4_u16).boxed()),
    );
    kinds.prop_map(|(namespaces, principals, accounts, src, dst, ports)| WireMatch {
        namespaces,
        principals,
        accounts,
        src,
        dst,
        ports,
    })
}

fn wire_policy() -> impl Strategy<Value = WirePolicy> {
    let rules = vec(vec(vec(wire_match(), 0..3), 0..3), 0..3);
    (any::<bool>(), proptest::bool::weighted(0.2), rules).prop_map(|(deny, dry_run, rules)| WirePolicy {
        deny,
        dry_run,
        rules,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn one_match_says_what_the_naive_one_says(m in wire_match(), visits in vec(visit(), 16)) {
        let policies = [made(0, &WirePolicy { deny: false, dry_run: false, rules: vec![vec![vec![m.clone()]]] })];
        for visit in visits {
            prop_assert_eq!(authorize(&policies, &visit.borrow()).is_allowed(), match_holds(&m, &visit));
        }
    }

    #[test]
    fn policies_say_what_the_naive_ones_say(wire in vec(wire_policy(), 0..5), visits in vec(visit(), 8)) {
        let policies: Vec<_> = wire.iter().enumerate().map(|(place, policy)| made(place, policy)).collect();
        for visit in visits {
            let enforced = wire.iter().filter(|policy| !policy.dry_run);
            prop_assert_eq!(authorize(&policies, &visit.borrow()).is_allowed(), allowed(enforced, &visit));
            let rehearsed = wire.iter().any(|p| p.dry_run).then(|| allowed(wire.iter(), &visit));
            prop_assert_eq!(rehearse(&policies, &visit.borrow()).map(|v| v.is_allowed()), rehearsed);
        }
    }
}
