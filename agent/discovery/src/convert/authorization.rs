//! `istio.security.Authorization` to [`Policy`].
//!
//! Whatever is not understood could be a condition, and a rule without one of its conditions is another rule: it would
//! let more in (ALLOW) or keep less out (DENY). So one field that is not understood refuses the whole policy.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use proto::string_match::MatchType;
use weir_model::policy::{Action, Clause, Match, Rule, ServiceAccountMatch, StringMatch};
use weir_model::{Policy, PolicyScope};
use weir_proto::security as proto;
use weir_proto::workload::Extension;

use super::common::{each, known};
use super::rejection::{Fault, Reason, Rejection, within};

/// Converts a policy.
///
/// # Errors
/// A missing name, a scope, an action, a range, a port or a text that is none or is not known, an extension.
pub fn authorization(message: proto::Authorization) -> Result<Policy, Rejection> {
    let resource = format!("{}/{}", message.namespace, message.name);
    build(&message).map_err(|(field, reason)| Rejection { resource, field, reason })
}

/// What stands for a policy that [`authorization`] refuses, if no earlier version of it is in force: it lets nobody in.
/// A scope that is not known may be any; the namespace and whoever lists it is what can be said without guessing.
pub fn refused_authorization(message: &proto::Authorization) -> Policy {
    let scope = scope(message.scope).unwrap_or(PolicyScope::Namespace);
    Policy::refuse_all(&message.namespace, &message.name, scope)
}

fn build(message: &proto::Authorization) -> Result<Policy, Fault> {
    for (field, part) in [("namespace", &message.namespace), ("name", &message.name)] {
        if part.is_empty() {
            return Err((field.into(), Reason::Missing));
        }
        // Two policies would have one key.
        if part.contains('/') {
            return Err((field.into(), Reason::Slash));
        }
    }
    no_extension(&message.extensions)?;
    let action = match known("action", "Action", message.action)? {
        proto::Action::Allow => Action::Allow,
        proto::Action::Deny => Action::Deny,
    };
    let mut policy = Policy::new(&message.namespace, &message.name, scope(message.scope)?, action);
    policy.rules = each(&message.rules, "rules", rule)?;
    policy.dry_run = message.dry_run;
    Ok(policy)
}

fn scope(number: i32) -> Result<PolicyScope, Fault> {
    Ok(match known("scope", "Scope", number)? {
        proto::Scope::Global => PolicyScope::Global,
        proto::Scope::Namespace => PolicyScope::Namespace,
        proto::Scope::WorkloadSelector => PolicyScope::WorkloadSelector,
    })
}

fn rule(message: &proto::Rule) -> Result<Rule, Fault> {
    let clause =
        |message: &proto::Clause| Ok(Clause { matches: each(&message.matches, "matches", one_match)? });
    Ok(Rule { clauses: each(&message.clauses, "clauses", clause)? })
}

fn one_match(m: &proto::Match) -> Result<Match, Fault> {
    no_extension(&m.extensions)?;
    Ok(Match {
        namespaces: set(&m.namespaces, "namespaces", text)?,
        not_namespaces: set(&m.not_namespaces, "not_namespaces", text)?,
        principals: set(&m.principals, "principals", text)?,
        not_principals: set(&m.not_principals, "not_principals", text)?,
        source_ips: set(&m.source_ips, "source_ips", range)?,
        not_source_ips: set(&m.not_source_ips, "not_source_ips", range)?,
        destination_ips: set(&m.destination_ips, "destination_ips", range)?,
        not_destination_ips: set(&m.not_destination_ips, "not_destination_ips", range)?,
        destination_ports: set(&m.destination_ports, "destination_ports", port)?,
        not_destination_ports: set(&m.not_destination_ports, "not_destination_ports", port)?,
        service_accounts: set(&m.service_accounts, "service_accounts", account)?,
        not_service_accounts: set(&m.not_service_accounts, "not_service_accounts", account)?,
    })
}

fn set<T, U, S: FromIterator<U>>(
    items: &[T],
    field: &str,
    convert: impl Fn(&T) -> Result<U, Fault>,
) -> Result<S, Fault> {
    Ok(each(items, field, convert)?.into_iter().collect())
}

fn text(message: &proto::StringMatch) -> Result<StringMatch, Fault> {
    Ok(match &message.match_type {
        Some(MatchType::Exact(text)) => StringMatch::Exact(text.as_str().into()),
        Some(MatchType::Prefix(text)) => StringMatch::Prefix(text.as_str().into()),
        Some(MatchType::Suffix(text)) => StringMatch::Suffix(text.as_str().into()),
        Some(MatchType::Presence(())) => StringMatch::Presence,
        None => return Err(("match_type".into(), Reason::Missing)),
    })
}

/// Bits of the host are left out. A v4-mapped range is IPv4, as the addresses are that it is compared with.
fn range(message: &proto::Address) -> Result<IpNet, Fault> {
    let length = message.length;
    let too_long = || ("length".to_owned(), Reason::PrefixLength { length });
    let bits = u8::try_from(length).map_err(|_| too_long())?;
    let mapped = <[u8; 16]>::try_from(&*message.address).ok().map(Ipv6Addr::from);
    let (ip, bits) = match mapped.and_then(|ip| ip.to_ipv4_mapped()) {
        // Shorter than the prefix that makes it mapped, it is neither a range of IPv4 nor one that anybody means.
        Some(ip) => (IpAddr::V4(ip), bits.checked_sub(MAPPED_BITS).ok_or_else(too_long)?),
        None => (super::common::ip(&message.address).map_err(within("address"))?, bits),
    };
    IpNet::new(ip, bits).map(|net| net.trunc()).map_err(|_| too_long())
}

fn port(number: &u32) -> Result<u16, Fault> {
    u16::try_from(*number).map_err(|_| (String::new(), Reason::Port { port: *number }))
}

fn account(message: &proto::ServiceAccountMatch) -> Result<ServiceAccountMatch, Fault> {
    let part = |field: &str, text: &str| match text {
        "" => Err((field.to_owned(), Reason::Missing)),
        text => Ok(text.into()),
    };
    Ok(ServiceAccountMatch {
        namespace: part("namespace", &message.namespace)?,
        service_account: part("service_account", &message.service_account)?,
    })
}

fn no_extension(extensions: &[Extension]) -> Result<(), Fault> {
    match extensions.first() {
        None => Ok(()),
        Some(first) => Err(("extensions[0]".into(), Reason::Extension { name: first.name.clone() })),
    }
}

/// Bits of `::ffff:0:0/96`.
const MAPPED_BITS: u8 = 96;

#[cfg(test)]
mod tests;
