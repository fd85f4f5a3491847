//! A condition of a rule: an entry of `when`.

use serde_json::Value;
use weir_proto::security::Match;

use super::finding::Severity;
use super::path::Path;
use super::read::{self, Unknown, quoted};
use super::term::{NEEDS_WAYPOINT, NOT_COMPARED, Reader, Term, is_said};
use super::value;

impl Reader<'_> {
    /// An entry of `when`.
    pub(super) fn when(&mut self, entry: &Value, path: &Path<'_>) -> Term {
        let mut term = Term::default();
        let Ok(fields) = read::object(entry, path, self.findings) else { return Term::unknown() };
        for name in fields.keys().filter(|name| !matches!(name.as_str(), "key" | "values" | "notValues")) {
            read::unknown_field(&path.field(name), self.findings);
            term.unknown = true;
        }
        let key_path = path.field("key");
        let key = match fields.get("key") {
            Some(key) => read::text(key, &key_path, self.findings),
            None => Err(self.invalid(&key_path, "is missing")),
        };
        let said = ["values", "notValues"].iter().any(|name| is_said(fields, name));
        if !said {
            self.invalid(path, "has neither values nor notValues");
        }
        let Ok(key) = key else { return Term::unknown() };
        for (name, not) in [("values", false), ("notValues", true)] {
            let Some(value) = fields.get(name) else { continue };
            term.unknown |= self.condition(key, not, value, &path.field(name), &mut term.asks).is_err();
        }
        if !is_layer4(key) {
            term.unknown |= self.other_key(key, &key_path).is_err();
        }
        term.unknown |= !said;
        term
    }

    fn condition(
        &mut self,
        key: &str,
        not: bool,
        value: &Value,
        at: &Path<'_>,
        asks: &mut Match,
    ) -> Result<(), Unknown> {
        match (key, not) {
            ("source.ip", false) => asks.source_ips = self.texts(value, at, value::range)?,
            ("source.ip", true) => asks.not_source_ips = self.texts(value, at, value::range)?,
            ("source.namespace", false) => asks.namespaces = self.patterns(value, at)?,
            ("source.namespace", true) => asks.not_namespaces = self.patterns(value, at)?,
            ("source.principal", false) => asks.principals = self.principals(value, at)?,
            ("source.principal", true) => asks.not_principals = self.principals(value, at)?,
            ("destination.ip", false) => asks.destination_ips = self.texts(value, at, value::range)?,
            ("destination.ip", true) => asks.not_destination_ips = self.texts(value, at, value::range)?,
            ("destination.port", false) => asks.destination_ports = self.texts(value, at, value::port)?,
            ("destination.port", true) => asks.not_destination_ports = self.texts(value, at, value::port)?,
            // Whether the key is one at all is asked once, not for each list.
            _ => drop(read::texts(value, at, self.findings, |_| Ok(()))?),
        }
        Ok(())
    }

    fn other_key(&mut self, key: &str, at: &Path<'_>) -> Result<(), Unknown> {
        let of_requests = key == "remote.ip"
            || key == "connection.sni"
            || ["request.", "experimental.envoy.filters."].iter().any(|prefix| key.starts_with(prefix));
        let why = match key {
            "source.trustDomain" | "source.serviceAccount" => NOT_COMPARED,
            _ if of_requests => NEEDS_WAYPOINT,
            _ => return Err(self.invalid(at, format!("{} is not a key that is known here", quoted(key)))),
        };
        if self.sees_requests {
            return Ok(());
        }
        self.findings.add(Severity::Unsupported, at, format!("{} {why}", quoted(key)));
        Err(Unknown)
    }
}

fn is_layer4(key: &str) -> bool {
    matches!(
        key,
        "source.ip" | "source.namespace" | "source.principal" | "destination.ip" | "destination.port"
    )
}
