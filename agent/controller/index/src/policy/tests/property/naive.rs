//! What a policy says, read from its JSON as slowly and plainly as can be. `None` is what cannot be told.

use std::net::IpAddr;

use serde_json::Value;
use weir_model::Connection;

/// Whether the policy alone, for a workload that it is for, lets the connection in.
pub(super) fn allows(spec: &Value, namespace: &str, connection: &Connection<'_>) -> bool {
    let spec = spec.as_object().expect("an object");
    let known = spec.keys().all(|name| name == "action" || name == "rules");
    let Some(rules) = spec.get("rules").map_or(Some(&Vec::new()), Value::as_array).cloned() else {
        return false;
    };
    let asked = Asked { namespace, connection };
    let mut rules = rules.iter().map(|rule| asked.rule(rule));
    match spec.get("action").map(|action| action.as_str()) {
        _ if !known => false,
        None | Some(Some("ALLOW")) => rules.any(|rule| rule == Some(true)),
        Some(Some("DENY")) => rules.all(|rule| rule == Some(false)),
        _ => false,
    }
}

struct Asked<'a> {
    namespace: &'a str,
    connection: &'a Connection<'a>,
}

fn all(truths: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let truths: Vec<_> = truths.into_iter().collect();
    // One that is false decides, whatever cannot be told of the others.
    if truths.contains(&Some(false)) { Some(false) } else { (!truths.contains(&None)).then_some(true) }
}

fn any(truths: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    all(truths.into_iter().map(not)).map(|none| !none)
}

fn not(truth: Option<bool>) -> Option<bool> {
    truth.map(|truth| !truth)
}

impl Asked<'_> {
    fn rule(&self, rule: &Value) -> Option<bool> {
        all(rule.as_object()?.iter().map(|(name, entries)| match name.as_str() {
            "from" => self.entries(entries, "source"),
            "to" => self.entries(entries, "operation"),
            "when" => all(entries.as_array()?.iter().map(|condition| self.condition(condition))),
            _ => None,
        }))
    }

    fn entries(&self, entries: &Value, name: &str) -> Option<bool> {
        let entries = entries.as_array().filter(|entries| !entries.is_empty())?;
        any(entries.iter().map(|entry| {
            let entry = entry.as_object()?;
            let others = entry.keys().filter(|other| *other != name).map(|_| None);
            let inner = entry.get(name).map(|inner| self.fields(inner));
            all(others.chain([inner.flatten()]))
        }))
    }

    fn fields(&self, fields: &Value) -> Option<bool> {
        let fields = fields.as_object()?;
        let there = |name: &str| fields.get(name).is_some_and(|value| value != &serde_json::json!([]));
        if !fields.keys().any(|name| there(name)) {
            return None;
        }
        let accounts = there("serviceAccounts") || there("notServiceAccounts");
        let named =
            ["principals", "notPrincipals", "namespaces", "notNamespaces"].iter().any(|name| there(name));
        all(fields.iter().map(|(name, values)| {
            let (key, negative) = match name.as_str() {
                "principals" => ("source.principal", false),
                "notPrincipals" => ("source.principal", true),
                "namespaces" => ("source.namespace", false),
                "notNamespaces" => ("source.namespace", true),
                "serviceAccounts" => ("account", false),
                "notServiceAccounts" => ("account", true),
                "ipBlocks" => ("source.ip", false),
                "notIpBlocks" => ("source.ip", true),
                "ports" => ("destination.port", false),
                "notPorts" => ("destination.port", true),
                _ if values == &serde_json::json!([])
                    && ["methods", "requestPrincipals"].contains(&&**name) =>
                {
                    return Some(true);
                }
                _ => return None,
            };
            let of_peer = matches!(key, "account" | "source.principal" | "source.namespace");
            if accounts && named && of_peer { None } else { self.list(key, negative, values) }
        }))
    }

    fn condition(&self, condition: &Value) -> Option<bool> {
        let condition = condition.as_object()?;
        let key = condition.get("key")?.as_str()?;
        let lists = ["values", "notValues"].map(|name| condition.get(name));
        if lists.iter().flatten().all(|list| **list == serde_json::json!([])) {
            return None;
        }
        all(condition.iter().map(|(name, values)| match name.as_str() {
            "key" => Some(true),
            "values" => self.list(key, false, values),
            "notValues" => self.list(key, true, values),
            _ => None,
        }))
    }

    fn list(&self, key: &str, negative: bool, values: &Value) -> Option<bool> {
        let values = values.as_array()?;
        if values.is_empty() {
            return Some(true);
        }
        let one = any(values.iter().map(|value| self.value(key, value.as_str()?)));
        if negative { not(one) } else { one }
    }

    fn value(&self, key: &str, value: &str) -> Option<bool> {
        let c = self.connection;
        let peer = c.peer.map(|peer| peer.to_string());
        let principal = peer.as_deref().map_or("", |peer| peer.trim_start_matches("spiffe://"));
        match key {
            "source.principal" => pattern(value, principal),
            "source.namespace" => pattern(value, c.peer.map_or("", |peer| peer.namespace())),
            "source.ip" => range(value, c.source_ip),
            "destination.ip" => range(value, c.destination.ip()),
            "destination.port" => {
                let port: u32 = value
                    .chars()
                    .map(|c| c.to_digit(10))
                    .collect::<Option<Vec<_>>>()?
                    .iter()
                    .fold(0, |n, d| n * 10 + d);
                (1..65_536).contains(&port).then_some(port == u32::from(c.destination.port()))
            }
            "account" => {
                let whole = if value.contains('/') {
                    value.to_owned()
                } else {
                    format!("{}/{value}", self.namespace)
                };
                let bad = value.contains('*')
                    || whole.split('/').count() != 2
                    || whole.split('/').any(str::is_empty);
                let peer = c.peer.map(|peer| format!("{}/{}", peer.namespace(), peer.service_account()));
                (!bad).then_some(peer == Some(whole))
            }
            _ => None,
        }
    }
}

fn pattern(pattern: &str, text: &str) -> Option<bool> {
    Some(match pattern {
        "" => return None,
        "*" => !text.is_empty(),
        _ if pattern.starts_with('*') => text.ends_with(&pattern[1..]),
        _ if pattern.ends_with('*') => text.starts_with(&pattern[..pattern.len() - 1]),
        _ => text == pattern,
    })
}

/// Compares as IPv6, where IPv4 is the range `::ffff:0:0/96`; but IPv4 is only in what was written about IPv4.
fn range(range: &str, ip: IpAddr) -> Option<bool> {
    let (address, bits) =
        range.split_once('/').map_or((range, None), |(address, bits)| (address, Some(bits)));
    if bits.is_some_and(|bits| bits.starts_with('+')) {
        return None;
    }
    let address: IpAddr = address.parse().ok()?;
    let bits: Option<u32> = bits.map(str::parse).transpose().ok()?;
    let (wide, bits) = match address {
        IpAddr::V4(v4) => (v4.to_ipv6_mapped(), bits.map_or(128, |bits| bits + 96)),
        IpAddr::V6(v6) => (v6, bits.unwrap_or(128)),
    };
    if bits > 128 || (wide.to_ipv4_mapped().is_some() && bits < 96) {
        return None;
    }
    let ip = match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let mask = if bits == 0 { 0 } else { u128::MAX << (128 - bits) };
    let same_family = wide.to_ipv4_mapped().is_some() == ip.to_ipv4_mapped().is_some();
    Some(same_family && u128::from(wide) & mask == u128::from(ip) & mask)
}
