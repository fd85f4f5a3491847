//! Policies in, what node proxies get out.

use std::net::IpAddr;

use serde_json::Value;
use weir_proto::security::string_match::MatchType;
use weir_proto::security::{Address, Authorization, Clause, Match, Rule, ServiceAccountMatch, StringMatch};
use weir_resources::{Key, Kind, Labels, Meta, Policy};

use super::authorization::{self, Converted};
use super::finding::Severity;
use crate::Config;

mod changes;
mod head;
mod peers;
mod property;
mod requests;
mod rules;
mod statuses;
mod values;

pub(super) const ROOT: &str = "weir-system";

pub(super) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

pub(super) fn policy(namespace: &str, name: &str, spec: Value) -> Policy {
    Policy { meta: Meta { namespace: namespace.into(), name: name.into(), ..Meta::default() }, spec }
}

pub(super) fn labels(text: &str) -> Labels {
    text.split(',').filter_map(|pair| pair.split_once('=')).collect()
}

pub(super) fn authorization_key(namespace: &str, name: &str) -> Key {
    Key::new(Kind::AuthorizationPolicy, namespace, name)
}

pub(super) fn peer_key(namespace: &str, name: &str) -> Key {
    Key::new(Kind::PeerAuthentication, namespace, name)
}

/// Converts a spec, in the namespace `shop`.
pub(super) fn convert(spec: Value) -> Converted {
    authorization::convert(&policy("shop", "p", spec), &Config::default())
}

/// The fields that the policy is refused for.
pub(super) fn fields(converted: &Converted) -> Vec<&str> {
    converted.findings.problems().map(|problem| problem.field.as_str()).collect()
}

pub(super) fn is_invalid(converted: &Converted) -> bool {
    converted.findings.worst() == Some(Severity::Invalid)
}

/// A policy in one line: `DENY to shop: port 80 and (ns a or ns b*) ; always`.
pub(super) fn line(policy: Option<&Authorization>) -> String {
    let Some(policy) = policy else { return "not sent".to_owned() };
    let scope = match policy.scope() {
        weir_proto::security::Scope::Global => "to all".to_owned(),
        weir_proto::security::Scope::Namespace => format!("to {}", policy.namespace),
        weir_proto::security::Scope::WorkloadSelector => "to selected".to_owned(),
    };
    let dry = if policy.dry_run { " dry" } else { "" };
    let rules: Vec<String> = policy.rules.iter().map(rule).collect();
    let rules = if rules.is_empty() { "never".to_owned() } else { rules.join(" ; ") };
    format!("{} {scope}{dry}: {rules}", policy.action().as_str_name())
}

/// The rules only.
pub(super) fn rules(policy: Option<&Authorization>) -> String {
    let line = line(policy);
    line.split_once(": ").map_or(line.clone(), |(_, rules)| rules.to_owned())
}

fn rule(rule: &Rule) -> String {
    let clauses: Vec<String> = rule.clauses.iter().map(clause).collect();
    if clauses.is_empty() { "always".to_owned() } else { clauses.join(" and ") }
}

fn clause(clause: &Clause) -> String {
    let matches: Vec<String> = clause.matches.iter().map(one).collect();
    match &*matches {
        [] => "(always)".to_owned(),
        [one] => one.clone(),
        several => format!("({})", several.join(" or ")),
    }
}

fn one(m: &Match) -> String {
    let mut said = Vec::new();
    let mut say = |name: &str, values: Vec<String>| {
        if !values.is_empty() {
            said.push(format!("{name} {}", values.join("|")));
        }
    };
    let texts = |list: &[StringMatch]| list.iter().map(text).collect();
    let ranges = |list: &[Address]| list.iter().map(range).collect();
    let accounts = |list: &[ServiceAccountMatch]| {
        list.iter().map(|a| format!("{}/{}", a.namespace, a.service_account)).collect()
    };
    let ports = |list: &[u32]| list.iter().map(u32::to_string).collect();
    say("port", ports(&m.destination_ports));
    say("!port", ports(&m.not_destination_ports));
    say("principal", texts(&m.principals));
    say("!principal", texts(&m.not_principals));
    say("ns", texts(&m.namespaces));
    say("!ns", texts(&m.not_namespaces));
    say("sa", accounts(&m.service_accounts));
    say("!sa", accounts(&m.not_service_accounts));
    say("from", ranges(&m.source_ips));
    say("!from", ranges(&m.not_source_ips));
    say("at", ranges(&m.destination_ips));
    say("!at", ranges(&m.not_destination_ips));
    if said.is_empty() { "never".to_owned() } else { said.join(" ") }
}

fn text(m: &StringMatch) -> String {
    match m.match_type.as_ref().unwrap() {
        MatchType::Exact(text) => format!("={text}"),
        MatchType::Prefix(text) => format!("{text}.."),
        MatchType::Suffix(text) => format!("..{text}"),
        MatchType::Presence(()) => "any".to_owned(),
    }
}

fn range(address: &Address) -> String {
    let ip: IpAddr = match &*address.address {
        [a, b, c, d] => [*a, *b, *c, *d].into(),
        sixteen => <[u8; 16]>::try_from(sixteen).unwrap().into(),
    };
    format!("{ip}/{}", address.length)
}
