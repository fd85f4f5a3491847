//! A published policy in one line.

use std::net::IpAddr;

use weir_proto::security::string_match::MatchType;
use weir_proto::security::{Address, Authorization, Clause, Match, Rule, ServiceAccountMatch, StringMatch};

/// `DENY NAMESPACE [port=80 & ns=shop]`.
pub(super) fn of(policy: &Authorization) -> String {
    let mut words = vec![policy.action().as_str_name().to_owned(), policy.scope().as_str_name().to_owned()];
    words.extend(policy.dry_run.then(|| "dry".to_owned()));
    words.extend(policy.rules.iter().map(rule));
    words.join(" ")
}

fn rule(rule: &Rule) -> String {
    format!("[{}]", rule.clauses.iter().map(clause).collect::<Vec<_>>().join(" & "))
}

fn clause(clause: &Clause) -> String {
    let matches: Vec<String> = clause.matches.iter().map(one).collect();
    if matches.is_empty() { "always".to_owned() } else { matches.join(" | ") }
}

fn one(m: &Match) -> String {
    let fields = [
        ("ns=", list(&m.namespaces, text)),
        ("!ns=", list(&m.not_namespaces, text)),
        ("id=", list(&m.principals, text)),
        ("!id=", list(&m.not_principals, text)),
        ("sa=", list(&m.service_accounts, account)),
        ("!sa=", list(&m.not_service_accounts, account)),
        ("ip=", list(&m.source_ips, range)),
        ("!ip=", list(&m.not_source_ips, range)),
        ("dst=", list(&m.destination_ips, range)),
        ("!dst=", list(&m.not_destination_ips, range)),
        ("port=", list(&m.destination_ports, u32::to_string)),
        ("!port=", list(&m.not_destination_ports, u32::to_string)),
    ];
    let said: Vec<String> = fields
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| name.to_owned() + &values)
        .collect();
    if said.is_empty() { "never".to_owned() } else { said.join(" ") }
}

fn list<T>(values: &[T], say: fn(&T) -> String) -> String {
    values.iter().map(say).collect::<Vec<_>>().join(",")
}

fn text(text: &StringMatch) -> String {
    match text.match_type.as_ref().expect("a kind of match") {
        MatchType::Exact(text) => text.clone(),
        MatchType::Prefix(text) => format!("prefix({text})"),
        MatchType::Suffix(text) => format!("suffix({text})"),
        MatchType::Presence(()) => "present".to_owned(),
    }
}

fn account(account: &ServiceAccountMatch) -> String {
    format!("{}/{}", account.namespace, account.service_account)
}

fn range(address: &Address) -> String {
    let ip: IpAddr = match <[u8; 4]>::try_from(&*address.address) {
        Ok(v4) => v4.into(),
        Err(_) => <[u8; 16]>::try_from(&*address.address).expect("4 or 16 bytes").into(),
    };
    format!("{ip}/{}", address.length)
}
