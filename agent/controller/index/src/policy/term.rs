//! The smallest part of a rule: a source, an operation, or a condition.

use serde_json::{Map, Value};
use weir_proto::security::{Match, StringMatch};

use super::finding::{Findings, Severity};
use super::path::Path;
use super::read::{self, Unknown};
use super::value;

/// What a part of a rule asks of a connection.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Term {
    /// What is understood of it. All fields must hold.
    pub(super) asks: Match,
    /// It asks for more, and nobody here can tell what or whether.
    pub(super) unknown: bool,
}

/// What reading needs to know of the policy.
pub(super) struct Reader<'r> {
    /// Namespace of the policy.
    pub(super) namespace: &'r str,
    /// The policy is for a waypoint, which sees requests.
    pub(super) sees_requests: bool,
    pub(super) findings: &'r mut Findings,
}

impl Reader<'_> {
    /// An entry of `from`.
    pub(super) fn from(&mut self, entry: &Value, path: &Path<'_>) -> Term {
        self.wrapped(entry, path, "source", Self::source)
    }

    /// An entry of `to`.
    pub(super) fn to(&mut self, entry: &Value, path: &Path<'_>) -> Term {
        self.wrapped(entry, path, "operation", Self::operation)
    }

    fn source(&mut self, fields: &Map<String, Value>, path: &Path<'_>) -> Term {
        let mut term = Term::default();
        let asks = &mut term.asks;
        let namespace = self.namespace;
        let account = |text: &str| value::account(text, namespace);
        for (name, value) in fields {
            let at = path.field(name);
            let read = match name.as_str() {
                "principals" => self.principals(value, &at).map(|v| asks.principals = v),
                "notPrincipals" => self.principals(value, &at).map(|v| asks.not_principals = v),
                "namespaces" => self.patterns(value, &at).map(|v| asks.namespaces = v),
                "notNamespaces" => self.patterns(value, &at).map(|v| asks.not_namespaces = v),
                "serviceAccounts" => self.texts(value, &at, account).map(|v| asks.service_accounts = v),
                "notServiceAccounts" => {
                    self.texts(value, &at, account).map(|v| asks.not_service_accounts = v)
                }
                "ipBlocks" => self.texts(value, &at, value::range).map(|v| asks.source_ips = v),
                "notIpBlocks" => self.texts(value, &at, value::range).map(|v| asks.not_source_ips = v),
                "requestPrincipals" | "notRequestPrincipals" | "remoteIpBlocks" | "notRemoteIpBlocks" => {
                    self.for_waypoints(value, &at, NEEDS_WAYPOINT)
                }
                "trustDomains" | "notTrustDomains" => self.for_waypoints(value, &at, NOT_COMPARED),
                _ => Err(read::unknown_field(&at, self.findings)),
            };
            term.unknown |= read.is_err();
        }
        self.refuse_two_ways_to_name_a_peer(fields, &mut term, path);
        term
    }

    fn operation(&mut self, fields: &Map<String, Value>, path: &Path<'_>) -> Term {
        let mut term = Term::default();
        let asks = &mut term.asks;
        for (name, value) in fields {
            let at = path.field(name);
            let read = match name.as_str() {
                "ports" => self.texts(value, &at, value::port).map(|v| asks.destination_ports = v),
                "notPorts" => self.texts(value, &at, value::port).map(|v| asks.not_destination_ports = v),
                "hosts" | "notHosts" | "methods" | "notMethods" | "paths" | "notPaths" => {
                    self.for_waypoints(value, &at, NEEDS_WAYPOINT)
                }
                _ => Err(read::unknown_field(&at, self.findings)),
            };
            term.unknown |= read.is_err();
        }
        term
    }

    /// `{ <name>: { .. } }`: that and nothing else.
    fn wrapped(
        &mut self,
        entry: &Value,
        path: &Path<'_>,
        name: &str,
        read: fn(&mut Self, &Map<String, Value>, &Path<'_>) -> Term,
    ) -> Term {
        let Ok(outer) = read::object(entry, path, self.findings) else { return Term::unknown() };
        let mut others = false;
        for other in outer.keys().filter(|other| *other != name) {
            read::unknown_field(&path.field(other), self.findings);
            others = true;
        }
        let at = path.field(name);
        let Some(inner) = outer.get(name) else {
            self.invalid(&at, "is missing");
            return Term::unknown();
        };
        let Ok(fields) = read::object(inner, &at, self.findings) else { return Term::unknown() };
        let mut term = read(self, fields, &at);
        if !fields.keys().any(|name| is_said(fields, name)) {
            // Istio's node proxy takes it for nothing, its sidecar for anything: it is not for us to choose.
            self.invalid(&at, "says nothing");
            term.unknown = true;
        }
        term.unknown |= others;
        term
    }

    /// Istio has the one or the other. Both together may have been meant as "or", and be read as "and".
    fn refuse_two_ways_to_name_a_peer(
        &mut self,
        fields: &Map<String, Value>,
        term: &mut Term,
        path: &Path<'_>,
    ) {
        let said = |names: &[&str]| names.iter().any(|name| is_said(fields, name));
        let accounts = said(&["serviceAccounts", "notServiceAccounts"]);
        if !accounts || !said(&["principals", "notPrincipals", "namespaces", "notNamespaces"]) {
            return;
        }
        self.invalid(path, "has service accounts beside principals or namespaces, which cannot be");
        let asks = &mut term.asks;
        asks.service_accounts.clear();
        asks.not_service_accounts.clear();
        asks.principals.clear();
        asks.not_principals.clear();
        asks.namespaces.clear();
        asks.not_namespaces.clear();
        term.unknown = true;
    }

    fn for_waypoints(&mut self, value: &Value, at: &Path<'_>, why: &str) -> Result<(), Unknown> {
        let values = read::texts(value, at, self.findings, |_| Ok(()))?;
        if values.is_empty() || self.sees_requests {
            return Ok(());
        }
        self.findings.add(Severity::Unsupported, at, why);
        Err(Unknown)
    }

    /// Patterns of peers' identities.
    pub(super) fn principals(&mut self, value: &Value, at: &Path<'_>) -> Result<Vec<StringMatch>, Unknown> {
        self.patterns_as(value, at, value::principal)
    }

    /// Patterns of names.
    pub(super) fn patterns(&mut self, value: &Value, at: &Path<'_>) -> Result<Vec<StringMatch>, Unknown> {
        self.patterns_as(value, at, value::pattern)
    }

    fn patterns_as(
        &mut self,
        value: &Value,
        at: &Path<'_>,
        parse: fn(&str) -> Result<StringMatch, String>,
    ) -> Result<Vec<StringMatch>, Unknown> {
        let patterns = self.texts(value, at, parse)?;
        for (i, item) in value.as_array().into_iter().flatten().enumerate() {
            if let Some(doubt) = item.as_str().and_then(value::doubt) {
                self.findings.add(Severity::Notice, at.index(i), doubt);
            }
        }
        Ok(patterns)
    }

    pub(super) fn texts<T>(
        &mut self,
        value: &Value,
        at: &Path<'_>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Unknown> {
        read::texts(value, at, self.findings, parse)
    }

    pub(super) fn invalid(&mut self, at: &Path<'_>, message: impl Into<String>) -> Unknown {
        self.findings.add(Severity::Invalid, at, message);
        Unknown
    }
}

impl Term {
    pub(super) fn unknown() -> Self {
        Self { asks: Match::default(), unknown: true }
    }
}

/// Whether a field is there and is not an empty list, which is as good as none.
pub(super) fn is_said(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty()))
}

pub(super) const NEEDS_WAYPOINT: &str =
    "is about requests; node proxies see connections, so it needs a policy of a waypoint (targetRefs)";

pub(super) const NOT_COMPARED: &str =
    "is nothing that a policy can tell a node proxy; it needs a policy of a waypoint (targetRefs)";
