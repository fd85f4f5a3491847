//! A policy of waypoints in one line.

use weir_proto::l7::authorization_path::Kind as PathKind;
use weir_proto::l7::condition::Attribute as On;
use weir_proto::l7::string_match::Kind;
use weir_proto::l7::{
    Attribute, Authorization, AuthorizationPath, AuthorizationRule, Condition, Operation, Peer, StringMatch,
};

/// `shop/p DENY [from ns=a | ns=b & to method=GET & when source_ip in 10.0.0.0/8]`.
pub(super) fn of(policy: &Authorization) -> String {
    let name = format!("{}/{}", policy.namespace, policy.name);
    let mut words = if name == "shop/p" { Vec::new() } else { vec![name] };
    words.push(policy.action().as_str_name().to_owned());
    words.extend(policy.dry_run.then(|| "dry".to_owned()));
    words.extend(policy.rules.iter().map(rule));
    words.join(" ")
}

fn rule(rule: &AuthorizationRule) -> String {
    let mut parts = Vec::new();
    let mut part = |name: &str, entries: Vec<String>| {
        if !entries.is_empty() {
            parts.push(format!("{name} {}", entries.join(" | ")));
        }
    };
    part("from", rule.from.iter().map(peer).collect());
    part("to", rule.to.iter().map(operation).collect());
    // All of these have to hold.
    part("when", Vec::from_iter((!rule.when.is_empty()).then(|| conditions(&rule.when))));
    format!("[{}]", parts.join(" & "))
}

fn peer(peer: &Peer) -> String {
    fields([
        ("id=", list(&peer.principals, text)),
        ("!id=", list(&peer.not_principals, text)),
        ("ns=", list(&peer.namespaces, text)),
        ("!ns=", list(&peer.not_namespaces, text)),
        ("td=", list(&peer.trust_domains, text)),
        ("!td=", list(&peer.not_trust_domains, text)),
        ("ip=", list(&peer.ip_blocks, String::clone)),
        ("!ip=", list(&peer.not_ip_blocks, String::clone)),
        ("remote=", list(&peer.remote_ip_blocks, String::clone)),
        ("!remote=", list(&peer.not_remote_ip_blocks, String::clone)),
    ])
}

fn operation(operation: &Operation) -> String {
    fields([
        ("host=", list(&operation.hosts, text)),
        ("!host=", list(&operation.not_hosts, text)),
        ("port=", list(&operation.ports, u32::to_string)),
        ("!port=", list(&operation.not_ports, u32::to_string)),
        ("method=", list(&operation.methods, text)),
        ("!method=", list(&operation.not_methods, text)),
        ("path=", list(&operation.paths, path)),
        ("!path=", list(&operation.not_paths, path)),
    ])
}

fn conditions(conditions: &[Condition]) -> String {
    let one = |condition: &Condition| {
        let of = match &condition.attribute {
            Some(On::Header(name)) => format!("header({name})"),
            Some(On::Known(number)) => {
                let known = Attribute::try_from(*number).expect("an attribute");
                known.as_str_name().to_ascii_lowercase()
            }
            None => "nothing".to_owned(),
        };
        fields([
            (&*format!("{of}="), list(&condition.values, text)),
            (&*format!("{of}!="), list(&condition.not_values, text)),
            (&*format!("{of} in "), list(&condition.ip_blocks, String::clone)),
            (&*format!("{of} not in "), list(&condition.not_ip_blocks, String::clone)),
        ])
    };
    conditions.iter().map(one).collect::<Vec<_>>().join(" and ")
}

fn fields<const N: usize>(fields: [(&str, String); N]) -> String {
    let said = fields.into_iter().filter(|(_, values)| !values.is_empty());
    let said: Vec<String> = said.map(|(name, values)| name.to_owned() + &values).collect();
    if said.is_empty() { "anything".to_owned() } else { said.join(" ") }
}

fn list<T>(values: &[T], say: fn(&T) -> String) -> String {
    values.iter().map(say).collect::<Vec<_>>().join(",")
}

fn text(text: &StringMatch) -> String {
    let said = match text.kind.as_ref().expect("a kind of match") {
        Kind::Exact(text) => text.clone(),
        Kind::Prefix(text) => format!("prefix({text})"),
        Kind::Suffix(text) => format!("suffix({text})"),
        Kind::Regex(text) => format!("regex({text})"),
        Kind::Present(_) => "present".to_owned(),
    };
    if text.ignore_case { format!("anycase({said})") } else { said }
}

fn path(path: &AuthorizationPath) -> String {
    match path.kind.as_ref().expect("a kind of path") {
        PathKind::Text(form) => text(form),
        PathKind::Template(template) => format!("template({template})"),
    }
}
